from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import ConfigMap, LimitRange, Pod, ResourceQuota
from proa.api.core_v1.resources import CONFIG_MAPS, LIMIT_RANGES, PODS, RESOURCE_QUOTAS
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError


def quota(hard: dict[str, str], name: str = "q") -> ResourceQuota:
    return msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": {"hard": hard}}, ResourceQuota)


def pod(name: str, cpu: str = "100m") -> Pod:
    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": cpu}}}
    document = {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}}
    return msgspec.convert(document, Pod)


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


async def used(plane: Any, name: str = "q") -> dict[str, Any]:
    return dict((await plane.get(RESOURCE_QUOTAS, name)).status.used)


def test_a_quota_follows_what_is_made_and_what_goes(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(CONFIG_MAPS, config_map("before"))
        await plane.client.create(RESOURCE_QUOTAS, quota({"configmaps": "10", "pods": "1", "requests.cpu": "1"}))

        async def counted() -> bool:
            return await used(plane) == {"configmaps": "2", "pods": "0", "requests.cpu": "0"}

        await plane.until(counted)  # kube-root-ca.crt is one of the two
        await plane.client.create(PODS, pod("a"))
        assert await used(plane) == {"configmaps": "2", "pods": "1", "requests.cpu": "100m"}
        with pytest.raises(
            StatusError, match='pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1'
        ):
            await plane.client.create(PODS, pod("b"))
        await plane.client.delete(PODS, "a", "default")
        await plane.client.delete(CONFIG_MAPS, "before", "default")

        async def freed() -> bool:
            return await used(plane) == {"configmaps": "1", "pods": "0", "requests.cpu": "0"}

        await plane.until(freed)
        await plane.client.create(PODS, pod("b"))

    simulate(body)


def test_an_ended_pod_frees_its_quota(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(RESOURCE_QUOTAS, quota({"pods": "1"}))
        await plane.until(lambda: used(plane))
        await plane.client.create(PODS, pod("a"))
        await plane.until(lambda: plane.clock.monotonic() > 10)
        status = {"status": {"phase": "Succeeded"}}
        await plane.client.patch(PODS, "a", "default", status, type="merge", subresource="status")

        async def freed() -> bool:
            return await used(plane) == {"pods": "0"}

        await plane.until(freed, 5)

    simulate(body)


def test_many_at_once_get_exactly_what_two_quotas_allow(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(RESOURCE_QUOTAS, quota({"count/configmaps": "31"}, "wide"))
        await plane.client.create(RESOURCE_QUOTAS, quota({"configmaps": "21"}, "narrow"))
        await plane.until(lambda: used(plane, "wide"))
        await plane.until(lambda: used(plane, "narrow"))

        refusals: set[str] = set()

        async def make(number: int) -> bool:
            try:
                await plane.client.create(CONFIG_MAPS, config_map(f"c{number}"))
            except StatusError as error:
                refusals.add(str(error).partition("exceeded quota: ")[2].partition(",")[0])
                return False
            return True

        made = await asyncio.gather(*map(make, range(60)))
        assert sum(made) == 20
        assert refusals == {"narrow"}
        assert (await used(plane, "narrow"), await used(plane, "wide")) == (
            {"configmaps": "21"},
            {"count/configmaps": "21"},
        )

    simulate(body)


def test_a_charge_for_what_was_never_stored_is_corrected(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(CONFIG_MAPS, config_map("there"))
        await plane.client.create(RESOURCE_QUOTAS, quota({"configmaps": "9"}))
        await plane.until(lambda: used(plane))
        with pytest.raises(StatusError, match="already exists"):
            await plane.client.create(CONFIG_MAPS, config_map("there"))

        async def corrected() -> bool:
            return await used(plane) == {"configmaps": "2"}

        await plane.until(corrected, 400)

    simulate(body)


def test_a_status_that_somebody_changed_is_put_right(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(RESOURCE_QUOTAS, quota({"pods": "1"}))
        await plane.until(lambda: used(plane))
        status = {"status": {"hard": {"pods": "7"}, "used": {"pods": "7"}}}
        patched = await plane.client.patch(RESOURCE_QUOTAS, "q", "default", status, type="merge", subresource="status")
        assert patched.status.hard == {"pods": "7"}

        async def right() -> bool:
            found = (await plane.get(RESOURCE_QUOTAS, "q")).status
            return (found.hard, found.used) == ({"pods": "1"}, {"pods": "0"})

        await plane.until(right, 2)

    simulate(body)


def test_a_dry_run_is_checked_and_not_charged(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(RESOURCE_QUOTAS, quota({"pods": "1"}))
        await plane.until(lambda: used(plane))
        await plane.client.create(PODS, pod("a"), dry_run=True)
        assert await used(plane) == {"pods": "0"}

    simulate(body)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hard": {"bananas": "1"}}, "must be a standard resource for quota"),
        ({"hard": {"pods": "-1"}}, "must be greater than or equal to 0"),
        ({"hard": {"pods": "1500m"}}, "must be an integer"),
        ({"hard": {"services": "1"}, "scopes": ["Terminating"]}, "unsupported scope applied to resource"),
        ({"hard": {"pods": "1"}, "scopes": ["Terminating", "NotTerminating"]}, "conflicting scopes"),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(simulate: Any, spec: dict[str, Any], said: str) -> None:
    async def body(plane: Any) -> None:
        wrong = msgspec.convert({"metadata": {"name": "q", "namespace": "default"}, "spec": spec}, ResourceQuota)
        with pytest.raises(StatusError, match=said):
            await plane.client.create(RESOURCE_QUOTAS, wrong)

    simulate(body)


def test_a_pod_is_resized_only_within_its_quota_and_its_bounds(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(RESOURCE_QUOTAS, quota({"requests.cpu": "1"}))
        bounds = {"limits": [{"type": "Container", "min": {"cpu": "200m"}}]}
        meta = {"name": "l", "namespace": "default"}
        await plane.client.create(LIMIT_RANGES, msgspec.convert({"metadata": meta, "spec": bounds}, LimitRange))
        await plane.until(lambda: used(plane))
        await plane.client.create(PODS, pod("a", "500m"))
        path = "/api/v1/namespaces/default/pods/a"

        async def resize(cpu: str) -> None:
            document = await plane.client.document("GET", path)
            document["metadata"].pop("resourceVersion")
            document["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
            await plane.client.document("PUT", path + "/resize", document)

        with pytest.raises(StatusError, match=r"exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=500m"):
            await resize("1500m")
        with pytest.raises(StatusError, match="minimum cpu usage per Container is 200m, but request is 100m"):
            await resize("100m")
        document = await plane.client.document("GET", path)
        document["spec"]["containers"][0]["resources"] = {}
        with pytest.raises(StatusError, match="resource requests cannot be removed") as caught:
            await plane.client.document("PUT", path + "/resize", document)
        assert caught.value.code == 422
        await resize("750m")
        assert await used(plane) == {"requests.cpu": "750m"}
        assert (await plane.get(PODS, "a")).spec.containers[0].resources.requests == {"cpu": "750m"}

    simulate(body)
