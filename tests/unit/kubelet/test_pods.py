"""Pods on a node in virtual time: from an API object to containers, and back to a status."""

from __future__ import annotations

from typing import Any

from proa.aio.clock import virtual_run
from proa.api.core_v1 import Container
from proa.runtime.protocol import RuntimeFault


def test_a_pod_comes_to_run_and_says_so(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        status = world.pod().status
        assert status.phase == "Running"
        assert status.podIP == "10.0.0.1"
        assert status.hostIP == "192.168.0.1"
        assert status.containerStatuses[0].ready
        assert status.containerStatuses[0].containerID == f"proa://{world.running('app')[0]}"
        assert {each.type: each.status for each in status.conditions} == {
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "Ready": "True",
            "ContainersReady": "True",
            "PodScheduled": "True",
        }
        assert world.events.reasons == ["Pulling", "Pulled", "Created", "Started"]
        assert len(world.api.patches) == 1, "a quick start is one write"
        await world.close()

    virtual_run(main)


def test_a_deleted_pod_leaves_nothing(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        world.delete()
        await clock.settle()
        assert world.api.deleted == ["web"]
        assert not world.runtime.made
        assert not world.runtime.boxes
        assert not world.pods.workers
        assert "Killing" in world.events.reasons
        await world.close()

    virtual_run(main)


def test_a_restarted_agent_finds_its_containers_again(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        before = list(world.runtime.calls)
        await world.close()
        await world.start()
        await clock.advance(5)
        assert world.runtime.calls == before
        assert world.pod().status.containerStatuses[0].restartCount == 0
        await world.close()

    virtual_run(main)


def test_a_crashing_container_is_restarted_with_backoff(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        world.runtime.exit(world.running("app")[0], 1)
        await clock.settle()
        assert len(world.running("app")) == 1, "the first restart is immediate"
        world.runtime.exit(world.running("app")[0], 1)
        await clock.settle()
        status = world.pod().status.containerStatuses[0]
        assert status.state.waiting is not None
        assert status.state.waiting.reason == "CrashLoopBackOff"
        assert status.state.waiting.message.startswith("back-off 10s restarting failed container=app pod=web_default")
        assert status.lastState.terminated is not None
        assert status.lastState.terminated.exitCode == 1
        assert "BackOff" in world.events.reasons
        await clock.advance(9)
        assert not world.running("app")
        await clock.advance(2)
        assert len(world.running("app")) == 1
        assert world.pod().status.containerStatuses[0].restartCount == 2
        await world.close()

    virtual_run(main)


def test_a_pull_that_fails_is_told_and_tried_again(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        world.images.broken = [RuntimeFault("no such image", "ErrImagePull")]
        await world.start()
        world.create(make_pod())
        await clock.settle()
        waiting = world.pod().status.containerStatuses[0].state.waiting
        assert waiting is not None
        assert waiting.reason == "ErrImagePull"
        await clock.advance(3)
        waiting = world.pod().status.containerStatuses[0].state.waiting
        assert waiting is not None
        assert waiting.reason == "ImagePullBackOff"
        assert ("Normal", "BackOff", 'Back-off pulling image "app:1"') in world.events.told
        await clock.advance(8)
        assert world.pod().status.phase == "Running"
        await world.close()

    virtual_run(main)


def test_a_pod_that_does_not_fit_ends_as_failed(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.pods.allocatable = {"pods": "0"}
        world.create(make_pod(Container(name="app", image="app:1")))
        await clock.settle()
        assert world.pod().status.phase == "Failed"
        assert world.pod().status.reason == "OutOfpods"
        assert not world.runtime.boxes
        world.delete()
        await clock.settle()
        assert world.api.deleted == ["web"]
        await world.close()

    virtual_run(main)
