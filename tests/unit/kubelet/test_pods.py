"""Pods on a node in virtual time: from an API object to containers, and back to a status."""

from __future__ import annotations

import asyncio
from typing import Any

from proa.aio.clock import virtual_run
from proa.api.core_v1 import Container, ExecAction, Lifecycle, LifecycleHandler, SleepAction
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


def test_an_exit_whose_event_was_lost_is_found_by_the_relist(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        world.runtime.feed.publish = lambda event: None
        world.runtime.exit(world.running("app")[0], 1)
        await clock.settle()
        assert world.pod().status.containerStatuses[0].restartCount == 0
        await clock.advance(61)
        assert world.pod().status.containerStatuses[0].restartCount == 1
        assert world.running("app")
        await world.close()

    virtual_run(main)


def test_a_sandbox_that_dies_is_made_again_with_its_containers(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        from dataclasses import replace

        from proa.runtime.protocol import RuntimeEvent, SandboxState

        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        (old,) = world.runtime.boxes
        world.runtime.exit(world.running("app")[0], 137)
        world.runtime.boxes[old] = replace(world.runtime.boxes[old], state=SandboxState.NOT_READY)
        world.runtime.feed.publish(RuntimeEvent("stopped", old))
        await clock.advance(15)
        assert "SandboxChanged" in world.events.reasons
        assert world.pod().status.podIP == "10.0.0.2"
        assert len(world.running("app")) == 1
        await world.close()

    virtual_run(main)


def test_a_relist_that_began_before_a_start_does_not_undo_it(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        listing, go_on = world.runtime.containers, asyncio.Event()

        async def slow(sandbox_id: str = "") -> Any:
            found = await listing(sandbox_id)
            await go_on.wait()
            return found

        world.runtime.containers = slow
        relist = asyncio.ensure_future(world.pods.relist())
        await clock.settle()
        world.create(make_pod())
        await clock.settle()
        go_on.set()
        await relist
        await clock.settle()
        assert [verb for verb, _ in world.runtime.calls].count("start_container") == 1
        assert world.pod().status.phase == "Running"
        await world.close()

    virtual_run(main)


def test_a_stop_under_way_is_hastened_by_a_shorter_grace(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        world.runtime.ignores_term.add(world.running("app")[0])
        world.delete(grace=300)
        await clock.advance(5)
        assert not world.api.deleted
        world.delete(grace=1)
        await clock.advance(2)
        assert world.api.deleted == ["web"]
        await world.close()

    virtual_run(main)


def test_a_pod_deleted_while_its_image_is_pulled_goes_at_once(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)

        async def forever(reference: str, auth: Any = ()) -> Any:
            await asyncio.sleep(10_000)

        world.images.pull = forever
        await world.start()
        world.create(make_pod())
        await clock.advance(1)
        world.delete()
        await clock.advance(1)
        assert world.api.deleted == ["web"]
        assert not world.runtime.boxes
        await world.close()

    virtual_run(main)


def test_what_the_api_does_not_know_is_removed(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()
        await world.close()
        del world.api.objects["pods", "default", "web"]
        await world.start()
        await clock.advance(1)
        assert not world.runtime.boxes
        assert not world.runtime.made
        await world.close()

    virtual_run(main)


def test_a_pre_stop_hook_runs_within_the_grace(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        hook = Lifecycle(preStop=LifecycleHandler(sleep=SleepAction(seconds=100)))
        world.create(make_pod(Container(name="app", image="app:1", lifecycle=hook)))
        await clock.settle()
        world.delete(grace=10)
        await clock.advance(9)
        assert not world.api.deleted
        await clock.advance(2)
        assert world.api.deleted == ["web"]
        await world.close()

    virtual_run(main)


def test_a_failed_post_start_hook_kills_the_container(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        world.runtime.exec_results["bad"] = (1, b"", b"no")
        await world.start()
        hook = Lifecycle(postStart=LifecycleHandler(exec=ExecAction(command=("bad",))))
        world.create(make_pod(Container(name="app", image="app:1", lifecycle=hook), restartPolicy="Never"))
        await clock.settle()
        assert "FailedPostStartHook" in world.events.reasons
        assert not world.running("app")
        await world.close()

    virtual_run(main)


def test_a_bug_in_a_step_is_a_failure_that_is_tried_again(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        world.runtime.broken["run_sandbox"] = [AssertionError("a bug"), RuntimeFault("no network", "X")]
        await world.start()
        world.create(make_pod())
        await clock.settle()
        assert world.pod().status.phase in ("", "Pending")
        await clock.advance(4)
        assert world.pod().status.phase == "Running"
        assert "FailedCreatePodSandBox" in world.events.reasons
        await world.close()

    virtual_run(main)


def test_a_runtime_that_cannot_be_listed_does_not_lose_pods(make_world: Any, make_pod: Any) -> None:
    async def main(clock: Any) -> None:
        world = make_world(clock)
        await world.start()
        world.create(make_pod())
        await clock.settle()

        async def broken(sandbox_id: str = "") -> Any:
            raise RuntimeFault("the runtime is away")

        world.runtime.containers = broken
        await clock.advance(130)
        assert world.pods.statistics()["failures"] >= 2
        assert world.pod().status.phase == "Running"
        await world.close()

    virtual_run(main)
