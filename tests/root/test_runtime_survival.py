"""Who may die and what stays: agents, zygotes, shims and containers of the embedded runtime, killed with -9."""

# ruff: noqa: ASYNC240 - a test may wait for the disk
from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from tests.contract.runtime_harness import DirectoryImages, Harness, config, embedded, unpack_busybox

from proa.linux import cgroups
from proa.runtime.embedded.collaborators import Addresses
from proa.runtime.embedded.runtime import EmbeddedRuntime
from proa.runtime.protocol import ContainerState, PortMapping, RuntimeFault, SandboxConfig, SandboxState

pytestmark = pytest.mark.root


class RecordingNetwork:
    """A pod network that hands out addresses and remembers who is attached."""

    def __init__(self) -> None:
        self.attached: dict[str, Path] = {}
        self.broken = ""

    async def attach(
        self, sandbox_id: str, netns: Path, *, namespace: str, name: str, port_mappings: tuple[PortMapping, ...]
    ) -> Addresses:
        assert netns.exists()
        if self.broken:
            raise OSError(self.broken)
        self.attached[sandbox_id] = netns
        return Addresses(("10.1.2.3",))

    async def detach(self, sandbox_id: str) -> None:
        self.attached.pop(sandbox_id, None)


class RecordingJournal:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    def record(self, kind: str, identity: str) -> None:
        self.entries.append((kind, identity))

    def forget(self, kind: str, identity: str) -> None:
        self.entries.remove((kind, identity))


@pytest.fixture
def network() -> RecordingNetwork:
    return RecordingNetwork()


@pytest.fixture
def journal() -> RecordingJournal:
    return RecordingJournal()


@pytest.fixture
async def harness(tmp_path: Path, network: RecordingNetwork, journal: RecordingJournal) -> AsyncIterator[Harness]:
    async with embedded(tmp_path, network=network, journal=journal) as made:
        yield made


AGENT = """
import asyncio, sys
from pathlib import Path
from tests.contract.runtime_harness import BusyboxImage, DirectoryImages, config
from proa.runtime.embedded.runtime import EmbeddedRuntime
from proa.runtime.protocol import SandboxConfig

async def main():
    root = Path(sys.argv[1])
    images = DirectoryImages({"busybox": BusyboxImage((root / "busybox",))})
    runtime = await EmbeddedRuntime.open(root / "state", images, cluster=sys.argv[2])
    sandbox = await runtime.run_sandbox(SandboxConfig("pod", "default", "uid", log_directory=root / "logs"))
    made = []
    for index, script in enumerate(["sleep 1000", "cat /tmp/wait; exit 6"]):
        script = "busybox mkfifo /tmp/wait 2>/dev/null; " + script
        container = config("sh", "-c", script, log_path=f"{index}.log")
        made.append(await runtime.create_container(sandbox.id, container))
        await runtime.start_container(made[-1])
    print(*made, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


async def test_containers_outlive_an_agent_killed_at_once_and_the_next_one_learns_their_exit_codes(
    tmp_path: Path,
) -> None:
    image = unpack_busybox(tmp_path / "busybox")
    cluster = f"test-agent-{os.getpid()}"
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(tmp_path), cluster,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert agent.stdout is not None
    stays, ends = (await agent.stdout.readline()).decode().split()
    agent.kill()
    await agent.wait()
    # while no agent is there, one of them ends
    (sandbox,) = (tmp_path / "state/sandboxes").iterdir()
    record = sandbox / "containers" / ends / "status.json"
    pid = json.loads(record.read_text())["pid"]
    descriptor = os.pidfd_open(pid)
    await asyncio.to_thread(Path(f"/proc/{pid}/root/tmp/wait").write_text, "go")
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    await asyncio.wait_for(gone.wait(), 10)
    loop.remove_reader(descriptor)
    os.close(descriptor)

    runtime = await EmbeddedRuntime.open(tmp_path / "state", DirectoryImages({"busybox": image}), cluster=cluster)
    try:
        assert (await runtime.container(stays)).state is ContainerState.RUNNING
        ended = await Harness(runtime, tmp_path, None, None).ended(ends)  # type: ignore[arg-type]
        assert (ended.exit_code, ended.reason) == (6, "Error")
        assert ended.finished_at >= ended.started_at > 0
        assert (await runtime.exec_sync(stays, ["echo", "alive"], 10))[1] == b"alive\n"
    finally:
        await runtime.teardown()
    assert not any(os.path.exists(item) for item in cgroups.detect().directories(f"proa/{cluster}"))


async def test_a_killed_zygote_is_replaced_and_its_pods_stay(harness: Harness) -> None:
    runtime = harness.runtime
    assert isinstance(runtime, EmbeddedRuntime)
    first = await harness.run(await harness.sandbox(), "sleep", "1000")
    os.kill(runtime.statistics()["zygote_pid"], signal.SIGKILL)
    second = await harness.run(await harness.sandbox(), "sleep", "1000")
    for item in (first, second):
        assert (await runtime.exec_sync(item, ["true"], 10))[0] == 0


async def test_a_killed_shim_takes_its_containers_along_and_is_noticed(
    harness: Harness, network: RecordingNetwork
) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sleep", "1000")
    pid = (await harness.runtime.container(container_id)).pid
    os.kill(sandbox.pid, signal.SIGKILL)
    status = await harness.ended(container_id)
    assert (status.exit_code, status.reason) == (255, "Error")
    assert "shim died" in status.message
    assert [item.state for item in await harness.runtime.sandboxes()] == [SandboxState.NOT_READY]
    assert not _runs(pid)
    with pytest.raises(RuntimeFault):
        await harness.runtime.create_container(sandbox.id, config("true"))
    await harness.runtime.remove_sandbox(sandbox.id)
    assert network.attached == {}


async def test_a_shim_killed_while_no_agent_was_there_is_noticed_by_the_next(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sleep", "1000")
    runtime = harness.runtime
    await runtime.close()
    descriptor = os.pidfd_open(sandbox.pid)
    os.kill(sandbox.pid, signal.SIGKILL)
    await asyncio.to_thread(_wait_readable, descriptor)
    await harness.reopen()
    assert (await harness.runtime.container(container_id)).exit_code == 255
    assert [item.state for item in await harness.runtime.sandboxes()] == [SandboxState.NOT_READY]


async def test_what_one_agent_saw_die_is_dead_for_the_next(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sleep", "1000")
    os.kill(sandbox.pid, signal.SIGKILL)
    await harness.ended(container_id)
    await harness.reopen()
    assert (await harness.runtime.container(container_id)).state is ContainerState.EXITED
    assert [item.state for item in await harness.runtime.sandboxes()] == [SandboxState.NOT_READY]


async def test_a_signal_to_the_agent_s_group_does_not_reach_pods(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sleep", "1000")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(sandbox.pid, number)
    assert os.getpgid(sandbox.pid) not in (os.getpgid(0), 0)
    assert (await harness.runtime.exec_sync(container_id, ["true"], 10))[0] == 0


async def test_what_was_half_made_is_gone_after_a_restart(harness: Harness, tmp_path: Path) -> None:
    sandbox = await harness.sandbox()
    home = tmp_path / "state/sandboxes"
    (home / "0123" / "containers").mkdir(parents=True)
    (home / sandbox.id / "sandbox.json").unlink()
    await harness.reopen()
    assert await harness.runtime.sandboxes() == []
    assert list(home.iterdir()) == []
    assert not _runs(sandbox.pid)


async def test_a_network_that_fails_leaves_no_sandbox(
    harness: Harness, network: RecordingNetwork, tmp_path: Path
) -> None:
    network.broken = "no address left"
    with pytest.raises(RuntimeFault, match="no address left"):
        await harness.sandbox()
    assert list((tmp_path / "state/sandboxes").iterdir()) == []


async def test_addresses_are_kept_and_given_back(harness: Harness, network: RecordingNetwork) -> None:
    sandbox = await harness.sandbox()
    assert sandbox.ips == ("10.1.2.3",)
    assert network.attached == {sandbox.id: Path(f"/proc/{sandbox.pid}/ns/net")}
    await harness.reopen()
    assert (await harness.runtime.sandboxes())[0] == sandbox
    await harness.runtime.stop_sandbox(sandbox.id)
    assert network.attached == {}


async def test_every_kernel_object_is_journalled_and_forgotten(harness: Harness, journal: RecordingJournal) -> None:
    before = list(journal.entries)
    sandbox = await harness.sandbox()
    made = [item for item in journal.entries if item not in before]
    assert sorted(kind for kind, _ in made) == ["cgroup", "directory", "process"]
    await harness.runtime.remove_sandbox(sandbox.id)
    assert journal.entries == before


async def test_images_that_are_not_there_fail_the_container_only(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    with pytest.raises(RuntimeFault, match="not found"):
        await harness.runtime.create_container(sandbox.id, config("true").__class__("main", "absent"))
    assert await harness.runtime.containers() == []


def test_it_works_under_uvloop(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        async with embedded(tmp_path) as harness:
            container_id = await harness.run(await harness.sandbox(), "sleep", "1000")
            streams = await harness.runtime.exec(container_id, ["cat"], tty=True, stdin=True)
            await streams.write(b"typed\n")
            line = await streams.stdout.readline()
            await streams.close()
            plain = await harness.runtime.exec(container_id, ["cat"], stdin=True)
            await plain.write(b"piped\n")
            line += await plain.stdout.readline()
            await plain.close()
            return line

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) == b"typed\r\npiped\n"


async def test_a_runtime_handler_that_does_not_exist_is_refused(harness: Harness) -> None:
    with pytest.raises(RuntimeFault, match='no runtime for "kata" is configured'):
        await harness.runtime.run_sandbox(SandboxConfig("pod", "default", "uid", runtime_handler="kata"))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def _wait_readable(descriptor: int) -> None:
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(10_000)
    os.close(descriptor)
