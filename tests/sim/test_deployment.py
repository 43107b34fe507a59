"""A Deployment from creation to history, as a user sees it."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.api.apps_v1 import Deployment, ReplicaSet
from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS
from proa.api.core_v1 import ServiceAccount
from proa.api.core_v1.resources import EVENTS, PODS, SERVICE_ACCOUNTS
from proa.machinery.meta import ObjectMeta
from proa.rules.replica_sets import template_hash


def deployment(name: str = "web", *, replicas: int = 3, image: str = "v1", **spec: Any) -> Deployment:
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": image}]},
                },
                **spec,
            },
        },
        Deployment,
    )


def image_patch(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}


def condition(obj: Any, type: str) -> Any:
    return next((each for each in obj.status.conditions if each.type == type), None)


async def rolled_out(plane: Any, name: str = "web", seconds: float = 120) -> Any:
    async def complete() -> Any:
        found = await plane.get(DEPLOYMENTS, name)
        status, wanted = found.status, found.spec.replicas
        done = status.observedGeneration == found.metadata.generation
        done = done and status.updatedReplicas == status.replicas == status.availableReplicas == wanted
        return found if done else None

    return await plane.until(complete, seconds)


def test_a_deployment_gets_its_pods_and_says_so(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment())
        found = await rolled_out(plane)
        assert found.status.readyReplicas == 3
        assert found.status.unavailableReplicas == 0
        assert condition(found, "Available").status == "True"
        assert condition(found, "Available").reason == "MinimumReplicasAvailable"
        assert condition(found, "Progressing").reason == "NewReplicaSetAvailable"
        assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "1"
        (replica_set,) = await plane.all(REPLICA_SETS)
        assert replica_set.metadata.name.startswith("web-")
        pods = await plane.all(PODS)
        assert len(pods) == 3
        for pod in pods:
            assert pod.metadata.labels["pod-template-hash"] == replica_set.metadata.labels["pod-template-hash"]
            assert pod.metadata.name.startswith(replica_set.metadata.name + "-")
        await plane.clock.advance(2)
        events = [event for event in await plane.all(EVENTS) if event.involvedObject.kind != "Node"]
        reasons = sorted(event.reason for event in events)
        assert reasons == ["ScalingReplicaSet"] + ["SuccessfulCreate"] * 3
        scaling = next(event for event in events if event.reason == "ScalingReplicaSet")
        assert scaling.message == f"Scaled up replica set {replica_set.metadata.name} from 0 to 3"
        assert scaling.source.component == "deployment-controller"

    simulate(body)


def test_a_new_image_rolls_out_within_its_bounds(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=4))
        await rolled_out(plane)
        pods = plane.informers.informer(PODS)
        seen = []

        def count(old, new):
            alive = [pod for pod in pods.list() if pod.metadata.deletionTimestamp is None]
            ready = [p for p in alive if any(c.type == "Ready" and c.status == "True" for c in p.status.conditions)]
            seen.append((len(alive), len(ready)))

        pods.on_change(count)
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v2"), type="strategic")
        found = await rolled_out(plane)
        assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
        assert max(alive for alive, _ in seen) == 5  # maxSurge 25%
        assert min(ready for _, ready in seen) == 3  # maxUnavailable 25%
        await plane.clock.advance(5)
        assert {pod.spec.containers[0].image for pod in await plane.all(PODS)} == {"v2"}
        sizes = {rs.metadata.annotations["deployment.kubernetes.io/revision"]: rs.spec.replicas
                 for rs in await plane.all(REPLICA_SETS)}  # fmt: skip
        assert sizes == {"1": 0, "2": 4}

    simulate(body)


def test_undo_brings_the_old_replica_set_back_as_the_newest_revision(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2))
        await rolled_out(plane)
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v2"), type="strategic")
        await rolled_out(plane)
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v1"), type="strategic")
        found = await rolled_out(plane)
        assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
        replica_sets = await plane.all(REPLICA_SETS)
        assert len(replica_sets) == 2
        current = next(each for each in replica_sets if each.spec.replicas)
        assert current.spec.template.spec.containers[0].image == "v1"
        assert current.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
        # the mark a client may count on: the same template again is the same ReplicaSet
        assert current.metadata.labels["pod-template-hash"] in current.metadata.name

    simulate(body)


def test_a_broken_version_does_not_take_the_working_one_down_and_is_reported_late(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=4, progressDeadlineSeconds=30))
        await rolled_out(plane)
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("broken"), type="strategic")
        await plane.clock.advance(20)
        found = await plane.get(DEPLOYMENTS, "web")
        assert found.status.availableReplicas == 3
        assert condition(found, "Progressing").reason == "ReplicaSetUpdated"
        await plane.clock.advance(30)
        found = await plane.get(DEPLOYMENTS, "web")
        assert found.status.availableReplicas == 3
        late = condition(found, "Progressing")
        assert (late.status, late.reason) == ("False", "ProgressDeadlineExceeded")
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v1"), type="strategic")
        found = await rolled_out(plane)
        assert condition(found, "Progressing").reason == "NewReplicaSetAvailable"

    simulate(body)


def test_a_paused_deployment_scales_but_does_not_roll(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2))
        await rolled_out(plane)
        await plane.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"paused": True}}, type="merge")
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v2"), type="strategic")
        await plane.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 5}}, type="merge")
        await plane.clock.advance(20)
        pods = await plane.all(PODS)
        assert [pod.spec.containers[0].image for pod in pods] == ["v1"] * 5
        assert condition(await plane.get(DEPLOYMENTS, "web"), "Progressing").reason == "DeploymentPaused"
        await plane.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"paused": False}}, type="merge")
        await rolled_out(plane)
        await plane.clock.advance(5)
        assert {pod.spec.containers[0].image for pod in await plane.all(PODS)} == {"v2"}

    simulate(body)


def test_scaling_during_a_rollout_shares_the_change_in_proportion(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=10, strategy={
            "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}))  # fmt: skip
        await rolled_out(plane)
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("broken"), type="strategic")
        await plane.clock.advance(20)
        by_image = {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in await plane.all(REPLICA_SETS)}
        assert by_image == {"v1": 8, "broken": 5}
        await plane.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 15}}, type="merge")
        await plane.clock.advance(20)
        by_image = {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in await plane.all(REPLICA_SETS)}
        assert by_image == {"v1": 11, "broken": 7}

    simulate(body)


def test_recreate_stops_every_old_pod_before_it_starts_a_new_one(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=3, strategy={"type": "Recreate"}))
        await rolled_out(plane)
        pods = plane.informers.informer(PODS)
        mixes = set()
        pods.on_change(lambda old, new: mixes.add(frozenset(p.spec.containers[0].image for p in pods.list())))
        await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch("v2"), type="strategic")
        await rolled_out(plane)
        assert mixes == {frozenset({"v1"}), frozenset(), frozenset({"v2"})}

    simulate(body)


def test_only_so_many_old_replica_sets_are_remembered(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=1, revisionHistoryLimit=2))
        for version in range(2, 7):
            await rolled_out(plane)
            await plane.client.patch(DEPLOYMENTS, "web", "default", image_patch(f"v{version}"), type="strategic")
        await rolled_out(plane)
        await plane.clock.advance(5)
        revisions = sorted(rs.metadata.annotations["deployment.kubernetes.io/revision"]
                           for rs in await plane.all(REPLICA_SETS))  # fmt: skip
        assert revisions == ["4", "5", "6"]

    simulate(body)


def test_pods_count_as_available_after_min_ready_seconds(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2, minReadySeconds=30))
        await plane.clock.advance(10)
        found = await plane.get(DEPLOYMENTS, "web")
        assert (found.status.readyReplicas, found.status.availableReplicas) == (2, 0)
        assert condition(found, "Available").reason == "MinimumReplicasUnavailable"
        await plane.clock.advance(30)
        assert (await plane.get(DEPLOYMENTS, "web")).status.availableReplicas == 2

    simulate(body)


def test_a_deleted_pod_is_replaced(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=3))
        await rolled_out(plane)
        victim = (await plane.all(PODS))[0]
        await plane.client.delete(PODS, victim.metadata.name, "default")
        await plane.clock.advance(10)
        pods = await plane.all(PODS)
        assert len(pods) == 3
        assert victim.metadata.name not in {pod.metadata.name for pod in pods}

    simulate(body)


def test_an_orphan_that_matches_is_adopted_and_a_relabelled_pod_released(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(replicas=2))
        await rolled_out(plane)
        pods = await plane.all(PODS)
        stray = pods[0].metadata.name
        await plane.client.patch(PODS, stray, "default", {"metadata": {"labels": {"app": "stray"}}}, type="merge")
        await plane.clock.advance(10)
        released = await plane.get(PODS, stray)
        assert released.metadata.ownerReferences == ()
        assert len(await plane.all(PODS)) == 3
        await plane.client.patch(PODS, stray, "default", {"metadata": {"labels": {"app": "web"}}}, type="merge")
        await plane.clock.advance(10)
        pods = await plane.all(PODS)
        assert len(pods) == 2  # adopted, one too many, one deleted

    simulate(body)


def test_a_replica_set_of_the_same_name_is_evaded(simulate):
    async def body(plane):
        planned = await plane.client.create(DEPLOYMENTS, deployment(), dry_run=True)
        name = f"web-{template_hash(planned.spec.template)}"
        foreign = msgspec.convert(
            {
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "other"}},
                    "template": {
                        "metadata": {"labels": {"app": "other"}},
                        "spec": {"containers": [{"name": "main", "image": "v9"}]},
                    },
                },
            },
            ReplicaSet,
        )
        await plane.client.create(REPLICA_SETS, foreign)
        await plane.client.create(DEPLOYMENTS, deployment())
        found = await rolled_out(plane)
        assert found.status.collisionCount == 1
        replica_sets = {each.metadata.name: each.spec.replicas for each in await plane.all(REPLICA_SETS)}
        assert replica_sets.pop(name) == 0
        assert list(replica_sets.values()) == [3]

    simulate(body)


def test_pods_that_cannot_be_created_are_told_in_conditions_and_events(simulate):
    async def body(plane):
        wanted = deployment()
        spec = msgspec.structs.replace(wanted.spec.template.spec, serviceAccountName="nobody")
        template = msgspec.structs.replace(wanted.spec.template, spec=spec)
        wanted = msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, template=template))
        await plane.client.create(DEPLOYMENTS, wanted)
        await plane.clock.advance(10)
        found = await plane.get(DEPLOYMENTS, "web")
        failure = condition(found, "ReplicaFailure")
        assert (failure.status, failure.reason) == ("True", "FailedCreate")
        assert "nobody" in failure.message
        events = [event for event in await plane.all(EVENTS) if event.reason == "FailedCreate"]
        assert events[0].type == "Warning"
        assert events[0].message.startswith("Error creating: ")
        await plane.client.create(
            SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="nobody", namespace="default"))
        )
        found = await rolled_out(plane)
        assert condition(found, "ReplicaFailure") is None

    simulate(body)
