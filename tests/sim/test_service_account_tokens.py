"""Secrets that hold a service account's token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from tests.sim.conftest import ControlPlane

from proa.api.core_v1 import ObjectReference, Secret, ServiceAccount
from proa.api.core_v1.resources import SECRETS, SERVICE_ACCOUNTS
from proa.controllers.settings import Settings
from proa.machinery.meta import ObjectMeta
from proa.pki.certificates import new_private_key
from proa.pki.tokens import TokenSigner

SIGNER = TokenSigner(new_private_key(), "https://issuer")
SETTINGS = Settings(root_ca="PEM", token_signer=SIGNER)


def secret(name: str, account: str) -> Secret:
    meta = ObjectMeta(name=name, namespace="default", annotations={"kubernetes.io/service-account.name": account})
    return Secret(metadata=meta, type="kubernetes.io/service-account-token")


def test_a_token_secret_is_filled_and_goes_with_its_account(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        client = plane.client
        account = await client.create(
            SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default"))
        )
        await client.create(SECRETS, secret("robot-token", "robot"))

        async def filled() -> Any:
            found = await plane.get(SECRETS, "robot-token")
            return found if found.data.get("token") else None

        found = await plane.until(filled)
        assert found.data["ca.crt"] == b"PEM"
        assert found.data["namespace"] == b"default"
        assert found.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
        claims = SIGNER.verify(found.data["token"].decode(), ["https://issuer"], plane.clock.now())
        assert (claims.name, claims.bound and claims.bound.name) == ("robot", "robot-token")

        await client.delete(SERVICE_ACCOUNTS, "robot", "default")

        async def gone() -> bool:
            return await plane.get(SECRETS, "robot-token") is None

        await plane.until(gone)

    simulate(body, SETTINGS)


def test_a_token_secret_of_no_account_is_deleted(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await plane.client.create(SECRETS, secret("orphan", "missing"))

        async def gone() -> bool:
            return await plane.get(SECRETS, "orphan") is None

        await plane.until(gone)

    simulate(body, SETTINGS)


def test_an_account_forgets_a_token_secret_that_was_deleted(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        client = plane.client
        meta = ObjectMeta(name="robot", namespace="default")
        account = await client.create(SERVICE_ACCOUNTS, ServiceAccount(metadata=meta))
        await client.create(SECRETS, secret("robot-token", "robot"))
        references = (ObjectReference(name="robot-token"), ObjectReference(name="other"))
        await client.update(SERVICE_ACCOUNTS, msgspec.structs.replace(account, secrets=references))
        await plane.clock.settle()
        await client.delete(SECRETS, "robot-token", "default")

        async def forgotten() -> bool:
            found = await plane.get(SERVICE_ACCOUNTS, "robot")
            return [each.name for each in found.secrets] == ["other"]

        await plane.until(forgotten)

    simulate(body, SETTINGS)
