"""The fake runtime under virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.runtime.fake import Behaviour, FakeImages, FakeRuntime
from proa.runtime.fake.programs import CopyInput, Listen, Output, Program, Sleep, understand
from proa.runtime.protocol import ContainerConfig, ContainerState, NotFoundError, RuntimeFault, SandboxConfig


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["true"], Program()),
        (["/bin/false"], Program(code=1)),
        (["echo", "a", "b"], Program((Output("stdout", b"a b\n"),))),
        (["sleep", "1.5m"], Program((Sleep(90),))),
        (["cat"], Program((CopyInput(),))),
        (["sh", "-c", "echo hi >&2; sleep 2; exit 3"], Program((Output("stderr", b"hi\n"), Sleep(2)), 3)),
        (["sh", "-c", "trap 'exit 4' TERM\nsleep 9 & wait"], Program((Sleep(9),), on_term=4)),
        (["sh", "-c", "false && echo no; true"], Program()),
        (["nc", "-ll", "-p", "80", "-e", "cat"], Program((Listen(80),))),
        (["nginx", "-g", "daemon off;"], None),
        (["sh", "-c", "nginx | tee log"], None),
        (["sh", "-c", "echo 'open"], None),
    ],
)
def test_simple_commands_are_understood_and_others_are_not(command: list[str], expected: Program | None) -> None:
    assert understand(command) == expected


def test_annotations_override_a_behaviour_and_wrong_ones_are_refused() -> None:
    base = Behaviour(exit_code=1, logs=("hello",))
    changed = base.with_annotations({"proa.fake/exit-after": "5", "other/x": "y"})
    assert changed == Behaviour(exit_after=5.0, exit_code=1, logs=("hello",))
    with pytest.raises(ValueError, match=r"proa\.fake/exit-after: 'soon' is not a number"):
        base.with_annotations({"proa.fake/exit-after": "soon"})
    with pytest.raises(ValueError, match=r"proa\.fake/fly is unknown"):
        base.with_annotations({"proa.fake/fly": "1"})


def test_thousands_of_pods_live_through_an_hour_at_once() -> None:
    async def scenario(clock: VirtualClock) -> None:
        runtime = FakeRuntime(clock=clock, sandbox_latency=0.2)

        async def pod(index: int) -> str:
            sandbox = await runtime.run_sandbox(SandboxConfig(f"pod-{index}", "default", str(index)))
            config = ContainerConfig("main", "job", command=("sleep", "3600"))
            container_id = await runtime.create_container(sandbox.id, config)
            await runtime.start_container(container_id)
            return container_id

        made = await asyncio.gather(*map(pod, range(3000)))
        ips = {ip for sandbox in await runtime.sandboxes() for ip in sandbox.ips}
        assert len(ips) == 3000
        await clock.advance(3599)
        assert {item.state for item in await runtime.containers()} == {ContainerState.RUNNING}
        await clock.advance(2)
        status = await runtime.container(made[0])
        assert (status.state, status.exit_code) == (ContainerState.EXITED, 0)
        assert status.finished_at - status.started_at == pytest.approx(3600)

    virtual_run(scenario)


def test_a_server_ends_well_when_stopped_and_a_stubborn_one_is_killed() -> None:
    def behaviour(config: ContainerConfig) -> Behaviour:
        return Behaviour(start_latency=1, logs=("ready",)).with_annotations(config.annotations)

    async def scenario(clock: VirtualClock) -> None:
        runtime = FakeRuntime(clock=clock, behaviour=behaviour)
        sandbox = await runtime.run_sandbox(SandboxConfig("pod", "default", "1"))
        for script, seconds, code in (
            ({}, 0, 0),
            ({"proa.fake/stop-latency": "7"}, 7, 0),
            ({"proa.fake/stop-latency": "never"}, 30, 137),
        ):
            config = ContainerConfig("main", "nginx", annotations=script)
            container_id = await runtime.create_container(sandbox.id, config)
            await runtime.start_container(container_id)
            before = clock.monotonic()
            await runtime.stop_container(container_id, 30)
            assert clock.monotonic() - before == seconds
            assert (await runtime.container(container_id)).exit_code == code

    virtual_run(scenario)


async def test_canned_logs_are_in_the_container_s_log_file(tmp_path: Path) -> None:
    runtime = FakeRuntime(behaviour=lambda _: Behaviour(logs=("one", "two")))
    sandbox = await runtime.run_sandbox(SandboxConfig("pod", "default", "1", log_directory=tmp_path))
    container_id = await runtime.create_container(sandbox.id, ContainerConfig("main", "nginx", log_path="0.log"))
    await runtime.start_container(container_id)
    assert [line.split(" ", 3)[3] for line in (tmp_path / "0.log").read_text().splitlines()] == ["one", "two"]
    await runtime.stop_sandbox(sandbox.id)


async def test_a_wrong_annotation_fails_the_container() -> None:
    runtime = FakeRuntime()
    sandbox = await runtime.run_sandbox(SandboxConfig("pod", "default", "1", annotations={"proa.fake/exit-code": "x"}))
    with pytest.raises(RuntimeFault, match=r"proa\.fake/exit-code"):
        await runtime.create_container(sandbox.id, ContainerConfig("main", "nginx"))


async def test_absent_images_are_pulled_and_broken_ones_can_not_be() -> None:
    images = FakeImages(absent=("a/b:1",), broken={"bad": "no such repository"}, users={"web": "1000"})
    assert await images.find("a/b:1") is None
    pulled = await images.pull("a/b:1")
    assert pulled == await images.find("a/b:1")
    assert pulled.digests[0].startswith("a/b@sha256:")
    with pytest.raises(RuntimeFault, match="no such repository") as caught:
        await images.pull("bad")
    assert caught.value.reason == "ErrImagePull"
    assert (await images.pull("web")).user == "1000"
    assert await images.disk_usage() == sum(item.size for item in await images.images())
    await images.remove("web")
    with pytest.raises(NotFoundError):
        await images.remove("web")
