"""Bootstrap tokens that expire, and the cluster-info that others sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import jwt
import msgspec
import pytest
from jwt.warnings import InsecureKeyLengthWarning
from tests.sim.conftest import ControlPlane

from proa.api.core_v1 import ConfigMap, Secret
from proa.api.core_v1.resources import CONFIG_MAPS, SECRETS
from proa.machinery.meta import ObjectMeta
from proa.machinery.timestamps import format_time

KEY = "0123456789abcdef"


def token(identity: str, **more: str) -> Secret:
    data = {"token-id": identity, "token-secret": KEY, "usage-bootstrap-signing": "true", **more}
    meta = ObjectMeta(name=f"bootstrap-token-{identity}", namespace="kube-system")
    entries = {name: value.encode() for name, value in data.items()}
    return Secret(metadata=meta, type="bootstrap.kubernetes.io/token", data=entries)


def test_an_expired_token_is_deleted_when_its_time_is_over(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        end = format_time(plane.clock.now() + timedelta(hours=1))
        await plane.client.create(SECRETS, token("aaaaaa", expiration=end))
        await plane.client.create(SECRETS, token("bbbbbb"))

        async def left() -> list[str]:
            return sorted(each.metadata.name[-6:] for each in await plane.all(SECRETS, "kube-system"))

        await plane.clock.advance(3500)
        assert await left() == ["aaaaaa", "bbbbbb"]
        await plane.clock.advance(200)
        assert await left() == ["bbbbbb"]

    simulate(body)


def test_cluster_info_is_signed_with_every_token_that_may(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        client = plane.client
        meta = ObjectMeta(name="cluster-info", namespace="kube-public")
        await client.create(CONFIG_MAPS, ConfigMap(metadata=meta, data={"kubeconfig": "content"}))
        await client.create(SECRETS, token("aaaaaa"))
        await client.create(SECRETS, token("bbbbbb", **{"usage-bootstrap-signing": "false"}))

        async def signed(*identities: str) -> None:
            async def same() -> bool:
                found = await plane.get(CONFIG_MAPS, "cluster-info", "kube-public")
                names = sorted(name for name in found.data if name != "kubeconfig")
                return names == [f"jws-kubeconfig-{each}" for each in identities]

            await plane.until(same)

        await signed("aaaaaa")
        found = await client.get(CONFIG_MAPS, "cluster-info", "kube-public")
        signature = found.data["jws-kubeconfig-aaaaaa"]
        assert jwt.get_unverified_header(signature) == {"alg": "HS256", "kid": "aaaaaa"}
        whole = signature.replace("..", ".Y29udGVudA.")
        with pytest.warns(InsecureKeyLengthWarning):  # that is how long these tokens are
            assert jwt.PyJWS().decode(whole, KEY, algorithms=["HS256"]) == b"content"

        changed = msgspec.structs.replace(found, data={**found.data, "kubeconfig": "other"})
        await client.update(CONFIG_MAPS, changed)
        await plane.clock.settle()
        again = await client.get(CONFIG_MAPS, "cluster-info", "kube-public")
        assert again.data["jws-kubeconfig-aaaaaa"] != signature

        await client.delete(SECRETS, "bootstrap-token-aaaaaa", "kube-system")
        await signed()

    simulate(body)
