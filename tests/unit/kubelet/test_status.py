"""What a pod's status says, and what of it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from proa.aio.clock import virtual_run
from proa.api.core_v1 import Container, Pod, PodCondition, PodSpec, PodStatus, ResourceRequirements
from proa.kubelet.podstate import decide
from proa.kubelet.state import PodState, Rejection, StartContainer
from proa.kubelet.status import Host, compute_status, is_important
from proa.kubelet.statuswriter import status_patch
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import service_unavailable
from proa.runtime.protocol import (
    ContainerConfig,
    ContainerState,
    ContainerStatus,
    SandboxConfig,
    SandboxState,
    SandboxStatus,
)

NOW = 1_767_225_600.0
HOST = Host(("192.168.0.1",))
APP = Container(name="app", image="app:1")


def pod(*containers: Container, status: PodStatus | None = None, **spec: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid="u1", generation=3),
        spec=PodSpec(containers=containers or (APP,), **{"restartPolicy": "Always", **spec}),
        status=status or PodStatus(),
    )


def ran(name: str = "app", attempt: int = 0, code: int | None = None) -> ContainerStatus:
    state = ContainerState.RUNNING if code is None else ContainerState.EXITED
    config = ContainerConfig(name, "app:1", attempt)
    return ContainerStatus(
        f"{name}{attempt}", "s0", config, state, NOW, NOW, NOW if code is not None else 0.0, code or 0, image_id="sha"
    )


def state(*containers: ContainerStatus, **changes: Any) -> PodState:
    sandbox = SandboxStatus("s0", SandboxConfig("web", "default", "u1"), SandboxState.READY, NOW, ("10.0.0.1",))
    return replace(PodState(sandbox=sandbox, containers=containers, volumes_ready=True, seen_at=NOW), **changes)


def status(subject: Pod, known: PodState, now: float = NOW) -> PodStatus:
    return compute_status(subject, known, decide(subject, known, now), HOST, now)


def conditions(found: PodStatus) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in found.conditions}


def test_computing_it_again_from_itself_changes_nothing() -> None:
    for known in (PodState(seen_at=NOW), state(), state(ran()), state(ran(code=1)), state(ran(code=0))):
        for policy in ("Always", "OnFailure", "Never"):
            first = status(pod(restartPolicy=policy), known)
            assert status(pod(restartPolicy=policy, status=first), known, NOW + 0.5) == first


def test_phases() -> None:
    both = (APP, Container(name="job", image="job:1"))
    assert status(pod(), PodState(seen_at=NOW)).phase == "Pending"
    assert status(pod(), state(ran())).phase == "Running"
    assert status(pod(*both), state(ran())).phase == "Pending", "one has never run"
    assert status(pod(), state(ran(code=1))).phase == "Running", "it will be restarted"
    assert status(pod(restartPolicy="Never"), state(ran(code=1))).phase == "Failed"
    assert status(pod(restartPolicy="Never"), state(ran(code=0))).phase == "Succeeded"
    assert status(pod(*both, restartPolicy="Never"), state(ran(code=1), ran("job"))).phase == "Running"
    assert status(pod(*both, restartPolicy="OnFailure"), state(ran(code=0), ran("job", code=0))).phase == "Succeeded"


def test_a_final_phase_waits_until_nothing_runs() -> None:
    ended = Rejection("DeadlineExceeded", "too long")
    assert status(pod(), state(ran(), ended=ended)).phase == "Running"
    over = status(pod(), state(ran(code=143), ended=ended))
    assert (over.phase, over.reason, over.message) == ("Failed", "DeadlineExceeded", "too long")


def test_a_final_phase_is_kept_when_the_runtime_has_forgotten_everything() -> None:
    done = status(pod(restartPolicy="Never"), state(ran(code=0)))
    later = status(pod(restartPolicy="Never", status=done), PodState(seen_at=NOW))
    assert later.phase == "Succeeded"
    assert later.containerStatuses[0].state.terminated is not None
    assert later.podIP == "10.0.0.1"


def test_conditions_name_what_is_missing() -> None:
    waiting = status(pod(initContainers=(Container(name="init", image="i:1"),)), state())
    assert conditions(waiting) == {
        "PodReadyToStartContainers": ("True", ""),
        "Initialized": ("False", "ContainersNotInitialized"),
        "Ready": ("False", "ContainersNotReady"),
        "ContainersReady": ("False", "ContainersNotReady"),
        "PodScheduled": ("True", ""),
    }
    message = {each.type: each.message for each in waiting.conditions}
    assert message["Initialized"] == "containers with incomplete status: [init]"
    assert message["Ready"] == "containers with unready status: [app]"
    assert all(each.observedGeneration == 3 for each in waiting.conditions)


def test_transition_times_move_only_with_the_condition() -> None:
    first = status(pod(), state(ran()))
    later = status(pod(status=first), state(ran(), images={}), NOW + 60)
    assert later.conditions == first.conditions
    crashed = status(pod(status=first), state(ran(code=1)).begun(StartContainer("app", 1), NOW), NOW + 60)
    changed = {each.type for each in crashed.conditions if each.lastTransitionTime == "2026-01-01T00:01:00Z"}
    assert changed == {"Ready", "ContainersReady"}


def test_containers_that_never_started_wait_for_initialization_also_when_it_failed() -> None:
    subject = pod(initContainers=(Container(name="init", image="app:1"),), restartPolicy="Never")
    found = status(subject, state(ran("init", code=1)))
    assert found.phase == "Failed"
    waiting = found.containerStatuses[0].state.waiting
    assert waiting is not None
    assert waiting.reason == "PodInitializing"


def test_a_waiting_container_shows_its_last_end() -> None:
    known = state(ran(code=2)).begun(StartContainer("app", 1), NOW).succeeded(StartContainer("app", 1))
    (found,) = status(pod(), replace(known, containers=(ran(attempt=1, code=3),)), NOW + 1).containerStatuses
    assert found.state.waiting is not None
    assert found.state.waiting.reason == "CrashLoopBackOff"
    assert found.lastState.terminated is not None
    assert found.lastState.terminated.exitCode == 3
    assert found.restartCount == 1
    assert found.containerID == "proa://app1"


def test_only_what_changed_is_patched_and_conditions_of_others_are_not() -> None:
    foreign = PodCondition(type="example.com/x", status="True")
    old = status(pod(status=PodStatus(conditions=(foreign,))), state())
    new = status(pod(status=old), state(ran()))
    patch = status_patch(old, new)
    assert set(patch) == {"phase", "containerStatuses", "conditions"}
    assert {each["type"] for each in patch["conditions"]} == {"Ready", "ContainersReady"}
    assert status_patch(new, new) == {}


def test_a_changed_address_replaces_the_old_one() -> None:
    old = status(pod(), state(ran()))
    known = state(ran())
    assert known.sandbox is not None
    moved = replace(known, sandbox=replace(known.sandbox, ips=("10.0.0.9",)))
    patch = status_patch(old, status(pod(status=old), moved))
    assert patch["podIPs"] == [{"$patch": "replace"}, {"ip": "10.0.0.9"}]


def test_progress_is_not_important_and_results_are() -> None:
    created = PodStatus(phase="Pending")
    begun = status(pod(), state())
    assert not is_important(created, begun)
    assert is_important(begun, status(pod(), state(ran())))
    failing = msgspec.structs.replace(begun, reason="Evicted")
    assert is_important(begun, failing)


def test_a_write_that_fails_is_tried_again_with_the_newest_state(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        world.api.fail = [service_unavailable("later"), service_unavailable("later")]
        await world.start()
        world.create(make_pod())
        await clock.advance(2)
        assert world.pod().status.phase == "Running"
        assert world.pods.statuses.statistics()["failed"] == 2
        await world.close()

    virtual_run(main)


def test_a_status_the_api_changes_back_is_not_fought_over_at_full_speed(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()

        def undo(old: Any, new: Any) -> None:
            if new is not None and new.status.phase == "Running":
                world.api.put("pods", msgspec.structs.replace(new, status=PodStatus()))

        world.api.watchers.append(undo)
        world.api.put("pods", msgspec.structs.replace(world.pod(), status=PodStatus()))
        await clock.advance(61)
        assert 1 < len(world.api.patches) < 10
        await world.close()

    virtual_run(main)


def test_a_resize_in_place_is_refused_and_said(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()

        def sized(cpu: str) -> tuple[Container, ...]:
            return (Container(name="app", image="app:1", resources=ResourceRequirements(requests={"cpu": cpu})),)

        world.create(make_pod(*sized("1")))
        await clock.settle()
        created = world.pod()
        world.api.put("pods", msgspec.structs.replace(created, spec=make_pod(*sized("2")).spec))
        await clock.advance(1)
        found = {each.type: each for each in world.pod().status.conditions}["PodResizePending"]
        assert (found.status, found.reason) == ("True", "Infeasible")
        given = world.pod().status.containerStatuses[0]
        assert given.allocatedResources == {"cpu": "1"}
        world.api.put("pods", msgspec.structs.replace(world.pod(), spec=created.spec))
        await clock.advance(1)
        assert "PodResizePending" not in {each.type for each in world.pod().status.conditions}
        await world.close()

    virtual_run(main)
