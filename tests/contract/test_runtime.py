"""The runtime contract: what the kubelet may rely on, whichever runtime it has."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tests.contract.runtime_harness as harnesses
from tests.contract.runtime_harness import Harness, config

from proa.runtime.protocol import (
    ContainerConfig,
    ContainerState,
    NamespaceMode,
    NotFoundError,
    RuntimeFault,
    SandboxState,
)

FOREVER = ("sleep", "1000")


@pytest.fixture(params=["fake", pytest.param("embedded", marks=pytest.mark.root)])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    async with getattr(harnesses, request.param)(tmp_path) as made:
        yield made


async def test_a_container_runs_to_its_end_and_its_exit_code_is_known(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.runtime.create_container(sandbox.id, config("sh", "-c", "exit 7"))
    created = await harness.runtime.container(container_id)
    assert (created.state, created.sandbox_id) == (ContainerState.CREATED, sandbox.id)
    await harness.runtime.start_container(container_id)
    status = await harness.ended(container_id)
    assert (status.exit_code, status.signal, status.reason) == (7, 0, "Error")
    assert created.created_at <= status.started_at <= status.finished_at
    assert status.image_id.startswith("busybox@sha256:")


async def test_a_container_that_ends_well_is_completed(harness: Harness) -> None:
    status, _ = await harness.result("true")
    assert (status.exit_code, status.reason) == (0, "Completed")


async def test_output_is_logged_in_the_cri_format(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sh", "-c", "echo one; echo two >&2; echo -n rest")
    status = await harness.ended(container_id)
    assert status.log_path == harness.logs / sandbox.config.uid / "0.log"
    lines = status.log_path.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] ", line) for line in lines)
    assert sorted(line.split(" ", 1)[1] for line in lines) == ["stderr F two", "stdout F one", "stdout P rest"]


async def test_a_rotated_log_is_reopened(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sh", "-c", "echo before; cat", stdin=True)
    status = await harness.runtime.container(container_id)
    streams = await harness.runtime.attach(container_id)
    assert status.log_path is not None
    rotated = status.log_path.rename(status.log_path.with_suffix(".1"))
    await harness.runtime.reopen_log(container_id)
    await streams.write(b"after\n")
    assert await streams.stdout.readline() in (b"before\n", b"after\n")
    await harness.runtime.stop_container(container_id, 0)
    assert rotated.read_text().splitlines()[0].endswith("before")
    assert status.log_path.read_text().splitlines()[-1].endswith("after")
    await streams.close()


async def test_events_tell_of_every_change(harness: Harness) -> None:
    events = harness.runtime.events()
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "true")
    await harness.ended(container_id)
    await harness.runtime.remove_container(container_id)
    await harness.runtime.remove_sandbox(sandbox.id)
    seen = [await anext(events) for _ in range(7)]
    assert {item.sandbox_id for item in seen} == {sandbox.id}
    of_container = [item.kind for item in seen if item.container_id]
    of_sandbox = [item.kind for item in seen if not item.container_id]
    assert of_container == ["created", "started", "stopped", "deleted"]
    assert of_sandbox == ["started", "stopped", "deleted"]


async def test_a_container_that_handles_the_stop_signal_ends_by_itself(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sh", "-c", "trap 'exit 3' TERM; echo ready; sleep 1000 & wait")
    assert await _first_line(harness, container_id) == "ready"
    await harness.runtime.stop_container(container_id, 30)
    status = await harness.runtime.container(container_id)
    assert (status.state, status.exit_code, status.reason) == (ContainerState.EXITED, 3, "Error")


async def test_a_container_that_ignores_the_stop_signal_is_killed_after_the_grace(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, *FOREVER)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await harness.runtime.stop_container(container_id, 0.2)
    assert 0.2 <= loop.time() - before < 5
    status = await harness.runtime.container(container_id)
    assert (status.exit_code, status.signal, status.reason) == (137, 9, "Error")
    await harness.runtime.stop_container(container_id, 10)


async def test_stopping_without_grace_kills_at_once(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sh", "-c", "trap '' TERM; sleep 1000")
    await harness.runtime.stop_container(container_id, 0)
    assert (await harness.runtime.container(container_id)).exit_code == 137


async def test_exec_sync_gives_code_and_both_outputs(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    result = await harness.runtime.exec_sync(container_id, ["sh", "-c", "echo out; echo err >&2; exit 4"], 10)
    assert result == (4, b"out\n", b"err\n")


async def test_exec_sync_kills_what_takes_too_long(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    with pytest.raises(TimeoutError, match="timed out after"):
        await harness.runtime.exec_sync(container_id, ["sleep", "100"], 0.1)


async def test_exec_of_a_missing_program_says_so(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    with pytest.raises(RuntimeFault, match=re.escape('exec: "nope": executable file not found in $PATH')):
        await harness.runtime.exec_sync(container_id, ["nope"], 10)


async def test_exec_streams_stdin_until_it_is_closed(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    streams = await harness.runtime.exec(container_id, ["cat"], stdin=True)
    await streams.write(b"hello\n")
    assert await streams.stdout.readline() == b"hello\n"
    big = b"x" * 300_000
    writing = asyncio.ensure_future(streams.write(big))
    assert await streams.stdout.readexactly(len(big)) == big
    await writing
    await streams.close_stdin()
    assert await streams.wait() == 0
    assert await streams.stdout.read() == b""
    await streams.close()


async def test_exec_with_a_terminal_has_one_stream_with_its_line_ends(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    streams = await harness.runtime.exec(container_id, ["sh", "-c", "echo hello; exit 5"], tty=True)
    assert streams.stderr is None
    await streams.resize(120, 40)
    assert await streams.stdout.read() == b"hello\r\n"
    assert await streams.wait() == 5
    await streams.close()


async def test_closing_an_exec_kills_its_process(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    streams = await harness.runtime.exec(container_id, ["sleep", "1000"])
    await streams.close()
    result = await harness.runtime.exec_sync(container_id, ["echo", "still here"], 10)
    assert result[1] == b"still here\n"


async def test_attach_sees_output_and_feeds_stdin(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), "cat", stdin=True, stdin_once=True)
    one, two = await harness.runtime.attach(container_id), await harness.runtime.attach(container_id)
    await one.write(b"for all\n")
    assert await one.stdout.readline() == await two.stdout.readline() == b"for all\n"
    await one.close_stdin()
    assert await two.wait() == 0
    await one.close()
    await two.close()
    assert (await harness.ended(container_id)).exit_code == 0


async def test_leaving_an_attachment_leaves_the_container_alone(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    await (await harness.runtime.attach(container_id)).close()
    assert (await harness.runtime.exec_sync(container_id, ["true"], 10))[0] == 0


async def test_a_container_with_a_terminal_is_attached_through_it(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), "cat", stdin=True, tty=True)
    streams = await harness.runtime.attach(container_id)
    assert streams.stderr is None
    await streams.resize(100, 30)
    await streams.write(b"line\n")
    assert (await streams.stdout.readline()).strip() == b"line"
    await streams.close()
    await harness.runtime.stop_container(container_id, 0)


async def test_a_new_agent_finds_pods_and_learns_what_ended_meanwhile(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    stays = await harness.run(sandbox, *FOREVER)
    ends = await harness.run(sandbox, "sh", "-c", "sleep 0.2; exit 9", log_path="1.log")
    before = await harness.runtime.container(stays)
    await harness.reopen()
    found = {item.id: item for item in await harness.runtime.containers()}
    assert set(found) == {stays, ends}
    assert found[stays] == before
    assert [item.id for item in await harness.runtime.sandboxes()] == [sandbox.id]
    assert (await harness.ended(ends)).exit_code == 9
    assert (await harness.runtime.exec_sync(stays, ["echo", "alive"], 10))[1] == b"alive\n"


async def test_a_program_that_can_not_be_started_is_a_start_error(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    broken = config("/nope", annotations={"proa.fake/start-error": 'exec: "/nope": no such file or directory'})
    container_id = await harness.runtime.create_container(sandbox.id, broken)
    with pytest.raises(RuntimeFault, match="no such file or directory") as caught:
        await harness.runtime.start_container(container_id)
    assert caught.value.reason == "RunContainerError"
    status = await harness.runtime.container(container_id)
    assert (status.state, status.exit_code, status.reason) == (ContainerState.EXITED, 128, "StartError")
    assert "no such file or directory" in status.message


async def test_a_container_starts_once(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    with pytest.raises(RuntimeFault, match="only a created one can be started"):
        await harness.runtime.start_container(container_id)


async def test_a_container_out_of_memory_is_oom_killed(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.runtime.create_container(sandbox.id, harness.oom())
    await harness.runtime.start_container(container_id)
    status = await harness.ended(container_id)
    assert (status.exit_code, status.signal, status.reason) == (137, 9, "OOMKilled")


async def test_port_forward_reaches_the_pod_s_loopback(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sh", "-c", "echo up; nc -ll -p 8080 -e cat")
    assert await _first_line(harness, container_id) == "up"
    reader, writer = await _connect(harness, sandbox.id, 8080)
    writer.write(b"ping\n")
    assert await reader.readline() == b"ping\n"
    writer.close()
    with pytest.raises(RuntimeFault, match="connection refused"):
        await harness.runtime.port_forward(sandbox.id, 9)


async def test_stopping_a_sandbox_kills_what_is_in_it_and_is_idempotent(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, *FOREVER)
    await harness.runtime.stop_sandbox(sandbox.id)
    await harness.runtime.stop_sandbox(sandbox.id)
    assert [item.state for item in await harness.runtime.sandboxes()] == [SandboxState.NOT_READY]
    status = await harness.runtime.container(container_id)
    assert (status.state, status.exit_code) == (ContainerState.EXITED, 137)
    with pytest.raises(RuntimeFault):
        await harness.runtime.create_container(sandbox.id, config(*FOREVER))


async def test_removing_is_idempotent_and_leaves_nothing_to_list(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, *FOREVER)
    await harness.runtime.remove_container(container_id)
    await harness.runtime.remove_container(container_id)
    assert await harness.runtime.containers() == []
    await harness.runtime.remove_sandbox(sandbox.id)
    await harness.runtime.remove_sandbox(sandbox.id)
    assert await harness.runtime.sandboxes() == []


async def test_what_does_not_exist_is_not_found(harness: Harness) -> None:
    with pytest.raises(NotFoundError):
        await harness.runtime.container("gone")
    with pytest.raises(NotFoundError):
        await harness.runtime.create_container("gone", config(*FOREVER))
    with pytest.raises(NotFoundError):
        await harness.runtime.containers("gone")
    await harness.runtime.stop_sandbox("gone")
    await harness.runtime.stop_container("gone", 1)


async def test_exec_in_a_container_that_does_not_run_is_refused(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.runtime.create_container(sandbox.id, config(*FOREVER))
    with pytest.raises(RuntimeFault, match="must be running"):
        await harness.runtime.exec_sync(container_id, ["true"], 1)


async def test_running_containers_have_statistics(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), *FOREVER)
    (found,) = await harness.runtime.stats()
    assert found.id == container_id
    assert found.cpu_nanoseconds >= 0
    assert found.memory_working_set > 0


async def test_a_pod_on_the_host_s_network_has_no_address_of_its_own(harness: Harness) -> None:
    sandbox = await harness.sandbox(network=NamespaceMode.NODE)
    assert sandbox.ips == ()


async def test_many_containers_share_a_sandbox(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    made = await asyncio.gather(
        *(harness.run(sandbox, "sh", "-c", f"exit {code}", log_path=f"{code}.log") for code in range(5))
    )
    assert [(await harness.ended(item)).exit_code for item in made] == [0, 1, 2, 3, 4]


async def _first_line(harness: Harness, container_id: str) -> str:
    """The container's first line of log: it is ready when it has said it."""
    status = await harness.runtime.container(container_id)
    assert status.log_path is not None
    async with asyncio.timeout(10):
        while not (text := status.log_path.read_text()):  # noqa: ASYNC110 - what a program says is no event
            await asyncio.sleep(0.005)
    return text.split("\n")[0].split(" ", 3)[3]


async def _connect(harness: Harness, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a server that said it is about to listen."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await harness.runtime.port_forward(sandbox_id, port)
            except RuntimeFault:
                await asyncio.sleep(0.005)


def test_the_protocol_s_defaults_make_a_plain_container() -> None:
    assert ContainerConfig("main", "image").security.seccomp == "RuntimeDefault"
