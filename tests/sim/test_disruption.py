from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.api.policy_v1 import Eviction, PodDisruptionBudget
from proa.api.policy_v1.resources import POD_DISRUPTION_BUDGETS
from proa.machinery.meta import DeleteOptions, ObjectMeta, Preconditions
from proa.machinery.status import StatusError

LABELS = {"app": "a"}


def deployment(replicas: int, image: str = "x") -> Deployment:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    return msgspec.convert({"metadata": {"name": "d", "namespace": "default"}, "spec": spec}, Deployment)


def budget(name: str = "b", **spec: Any) -> PodDisruptionBudget:
    spec = {"selector": {"matchLabels": LABELS}, **spec}
    return msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": spec}, PodDisruptionBudget)


def bare(name: str) -> Pod:
    document = {"metadata": {"name": name, "namespace": "default", "labels": LABELS}}
    return msgspec.convert({**document, "spec": {"containers": [{"name": "c", "image": "x"}]}}, Pod)


async def evict(plane: Any, name: str, **options: Any) -> None:
    meta = ObjectMeta(name=name, namespace="default")
    eviction = Eviction(metadata=meta, deleteOptions=DeleteOptions(**options) if options else None)
    await plane.client.post(PODS, name, "default", "eviction", eviction)


async def pods(plane: Any) -> list[str]:
    """Those that stay."""
    return [each.metadata.name for each in await plane.all(PODS) if each.metadata.deletionTimestamp is None]


async def until_status(plane: Any, **wanted: int) -> Any:
    async def there() -> Any:
        status = (await plane.get(POD_DISRUPTION_BUDGETS, "b")).status
        return status if all(getattr(status, name) == value for name, value in wanted.items()) else None

    return await plane.until(there)


@pytest.mark.parametrize("spec", [{"minAvailable": 2}, {"maxUnavailable": 1}, {"minAvailable": "60%"}])
def test_a_budget_lets_pods_go_only_while_enough_stay(simulate: Any, spec: dict[str, Any]) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(**spec))
        status = await until_status(plane, currentHealthy=3, disruptionsAllowed=1)
        assert (status.expectedPods, status.desiredHealthy, status.observedGeneration) == (3, 2, 1)
        assert [(each.type, each.status, each.reason) for each in status.conditions] == [
            ("DisruptionAllowed", "True", "SufficientPods")
        ]
        first, second, _ = await pods(plane)
        await evict(plane, first)
        with pytest.raises(StatusError, match="Cannot evict pod as it would violate the pod's disruption budget"):
            await evict(plane, second)
        gone = await plane.get(PODS, first)
        assert [each.reason for each in gone.status.conditions if each.type == "DisruptionTarget"] == [
            "EvictionByEvictionAPI"
        ]
        await until_status(plane, currentHealthy=3, disruptionsAllowed=1)
        await evict(plane, second)

    simulate(body)


def test_a_refusal_says_why(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(2))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=2))
        await until_status(plane, currentHealthy=2, desiredHealthy=2)
        with pytest.raises(StatusError) as caught:
            await evict(plane, (await pods(plane))[0])
        (cause,) = caught.value.status.details.causes
        assert caught.value.code == 429
        assert cause.reason == "DisruptionBudget"
        assert cause.message == "The disruption budget b needs 2 healthy pods and has 2 currently"

    simulate(body)


def test_many_evictions_at_once_take_no_more_than_is_allowed(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(12))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=5))
        await until_status(plane, disruptionsAllowed=5)
        outcomes = await asyncio.gather(*(evict(plane, name) for name in await pods(plane)), return_exceptions=True)
        assert [each for each in outcomes if each is not None and getattr(each, "code", 0) != 429] == []
        assert outcomes.count(None) == 5

    simulate(body)


def test_an_unhealthy_pod_goes_for_nothing_where_enough_are_healthy_or_the_budget_says_so(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(2, "broken"))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=1))
        await until_status(plane, expectedPods=2, desiredHealthy=1, currentHealthy=0)

        async def running() -> bool:
            return all(each.status.phase == "Running" for each in await plane.all(PODS))

        await plane.until(running)
        first, second = await pods(plane)
        with pytest.raises(StatusError) as caught:
            await evict(plane, first)
        assert caught.value.code == 429
        patch = {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}
        await plane.client.patch(POD_DISRUPTION_BUDGETS, "b", "default", patch, type="merge")
        await evict(plane, first)
        assert (await plane.get(POD_DISRUPTION_BUDGETS, "b")).status.disruptedPods == {}
        assert second in await pods(plane)

    simulate(body)


def test_a_pod_of_several_budgets_cannot_be_evicted(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(1))
        for name in ("b", "c"):
            await plane.client.create(POD_DISRUPTION_BUDGETS, budget(name, minAvailable=0))
        await until_status(plane, currentHealthy=1)
        with pytest.raises(StatusError, match="more than one PodDisruptionBudget") as caught:
            await evict(plane, (await pods(plane))[0])
        assert caught.value.code == 500

    simulate(body)


def test_a_pod_that_has_not_begun_is_evicted_whatever_its_budget(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        plane.pods.dead.update(plane.pods.nodes)
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(minAvailable=9))
        gated = msgspec.structs.replace(bare("gated"))
        spec = msgspec.convert(
            {"containers": [{"name": "c", "image": "x"}], "schedulingGates": [{"name": "g"}]}, type(gated.spec)
        )
        await plane.client.create(PODS, msgspec.structs.replace(gated, spec=spec))
        await evict(plane, "gated")
        assert await plane.get(PODS, "gated") is None

    simulate(body)


def test_an_eviction_keeps_to_its_preconditions_and_to_a_dry_run(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(DEPLOYMENTS, deployment(1))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1))
        await until_status(plane, disruptionsAllowed=1)
        (name,) = await pods(plane)
        await evict(plane, name, dryRun=("All",))
        assert await pods(plane) == [name]
        assert (await plane.get(POD_DISRUPTION_BUDGETS, "b")).status.disruptionsAllowed == 1
        with pytest.raises(StatusError) as caught:
            await evict(plane, name, preconditions=Preconditions(uid="other"))
        assert caught.value.code == 409
        assert await pods(plane) == [name]

    simulate(body)


def test_a_budget_over_pods_that_nobody_can_scale_allows_nothing_and_says_so(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        owned = bare("a")
        meta = msgspec.to_builtins(owned.metadata)
        config = {"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "controller": True}
        found = await plane.client.document("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
        meta["ownerReferences"] = [{**config, "uid": found["metadata"]["uid"]}]
        await plane.client.create(PODS, msgspec.structs.replace(owned, metadata=msgspec.convert(meta, ObjectMeta)))
        await plane.client.create(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1))

        async def failed() -> Any:
            conditions = (await plane.get(POD_DISRUPTION_BUDGETS, "b")).status.conditions
            return [each for each in conditions if each.reason == "SyncFailed"]

        (condition,) = await plane.until(failed)
        assert condition.message == "configmaps does not implement the scale subresource"

    simulate(body)


def test_a_pod_that_was_to_go_and_stays_is_said_to_be_well_again(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(PODS, bare("a"))
        now = plane.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "Test", "lastTransitionTime": now}
        status = {"status": {"conditions": [condition]}}
        await plane.client.patch(PODS, "a", "default", status, subresource="status")

        async def well() -> bool:
            found = await plane.get(PODS, "a")
            return any(each.type == "DisruptionTarget" and each.status == "False" for each in found.status.conditions)

        assert not await well()
        await plane.until(well, 180)

    simulate(body)
