"""What the runtime contract runs on: each implementation with a way to come back as a new agent would.

`busybox` is the image: a directory with the static busybox of the host, as unpacked layers are.
"""

# ruff: noqa: ASYNC240 - a test may wait for the disk
from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proa.linux import cgroups
from proa.runtime.embedded.runtime import EmbeddedRuntime
from proa.runtime.fake import FakeRuntime
from proa.runtime.protocol import (
    ContainerConfig,
    ContainerState,
    ContainerStatus,
    NotFoundError,
    Runtime,
    SandboxConfig,
    SandboxStatus,
)

APPLETS = "sh cat echo true false id sleep mount ps env hostname kill wc head dd nc ls touch stat tty pwd ip stty mknod"


@dataclass(frozen=True)
class BusyboxImage:
    """`collaborators.ResolvedImage` of a directory."""

    lowerdirs: tuple[Path, ...]
    id: str = "sha256:b"
    digest_reference: str = "busybox@sha256:b"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ("sh",)
    env: tuple[tuple[str, str], ...] = (("FROM_IMAGE", "yes"),)
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()


@dataclass
class DirectoryImages:
    """`collaborators.ImageStore` whose images are given."""

    known: dict[str, BusyboxImage]

    async def resolve(self, reference: str) -> BusyboxImage:
        if reference not in self.known:
            raise NotFoundError(f"image {reference!r} not found")
        return self.known[reference]


def unpack_busybox(directory: Path) -> BusyboxImage:
    """An image's layer from the host's static busybox; skips the test where that is missing."""
    program = shutil.which("busybox")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs root and busybox-static")
    (directory / "bin").mkdir(parents=True)
    shutil.copy(program, directory / "bin/busybox")
    for name in APPLETS.split():
        (directory / "bin" / name).symlink_to("busybox")
    (directory / "etc").mkdir()
    (directory / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n")
    (directory / "etc/group").write_text("root:x:0:\nweb:x:1001:\nextra:x:2000:web\n")
    (directory / "tmp").mkdir(mode=0o1777)
    (directory / "tmp").chmod(0o1777)
    return BusyboxImage((directory,))


@dataclass
class Harness:
    """One runtime under test. `reopen` lets go of it and returns what a new agent would have."""

    runtime: Runtime
    logs: Path
    reopen: Callable[[], Awaitable[None]] = field(repr=False)
    oom: Callable[[], ContainerConfig]

    async def sandbox(self, **changes: object) -> SandboxStatus:
        uid = str(uuid.uuid4())
        settings: dict[str, object] = {"hostname": "pod", "log_directory": self.logs / uid, **changes}
        return await self.runtime.run_sandbox(SandboxConfig("pod", "default", uid, **settings))  # type: ignore[arg-type]

    async def run(self, sandbox: SandboxStatus, *command: str, **changes: object) -> str:
        """A started container."""
        container_id = await self.runtime.create_container(sandbox.id, config(*command, **changes))
        await self.runtime.start_container(container_id)
        return container_id

    async def ended(self, container_id: str) -> ContainerStatus:
        """The status once it has exited."""
        events = self.runtime.events()
        status = await self.runtime.container(container_id)
        while status.state is not ContainerState.EXITED:
            await anext(events)
            status = await self.runtime.container(container_id)
        await events.aclose()  # type: ignore[attr-defined]
        return status

    async def result(self, *command: str, **changes: object) -> tuple[ContainerStatus, list[tuple[str, str, str]]]:
        """Run a pod of one container to its end: its status, and its log as (stream, tag, line)."""
        sandbox = await self.sandbox()
        container_id = await self.run(sandbox, *command, **changes)
        status = await self.ended(container_id)
        assert status.log_path is not None
        lines = [tuple(line.split(" ", 3)[1:]) for line in status.log_path.read_text().splitlines()]
        await self.runtime.remove_sandbox(sandbox.id)
        return status, lines  # type: ignore[return-value]


def config(*command: str, **changes: object) -> ContainerConfig:
    return ContainerConfig("main", "busybox", command=command, **{"log_path": "0.log", **changes})  # type: ignore[arg-type]


@asynccontextmanager
async def fake(directory: Path) -> AsyncIterator[Harness]:
    runtime = FakeRuntime()

    async def reopen() -> None:
        await runtime.close()

    def oom() -> ContainerConfig:
        return config("sleep", "100", annotations={"proa.fake/oom-after": "0.01"})

    yield Harness(runtime, directory / "logs", reopen, oom)
    await runtime.close()


@asynccontextmanager
async def embedded(directory: Path, **settings: object) -> AsyncIterator[Harness]:
    """An embedded runtime whose every trace is looked for at the end."""
    image = unpack_busybox(directory / "busybox")
    cluster = f"test-{uuid.uuid4().hex[:8]}"
    images = DirectoryImages({"busybox": image})

    async def start() -> EmbeddedRuntime:
        return await EmbeddedRuntime.open(directory / "state", images, cluster=cluster, **settings)  # type: ignore[arg-type]

    async def reopen() -> None:
        await harness.runtime.close()
        harness.runtime = await start()

    def oom() -> ContainerConfig:
        from proa.runtime.protocol import LinuxResources

        # `head` of endless zeros without a newline: sed-like programs would buffer; dd takes one block of 256 MiB
        return config(
            "dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1", resources=LinuxResources(memory_limit=16 << 20)
        )

    before = mounts(directory)
    harness = Harness(await start(), directory / "logs", reopen, oom)
    try:
        yield harness
    finally:
        assert isinstance(harness.runtime, EmbeddedRuntime)
        await harness.runtime.teardown()
    assert mounts(directory) == before
    assert list((directory / "state").iterdir()) == []
    assert [item for item in cgroups.detect().directories(f"proa/{cluster}") if os.path.exists(item)] == []
    assert await asyncio.to_thread(processes_below, directory / "state") == []


def mounts(directory: Path) -> list[str]:
    """What is mounted at or from below `directory`; elsewhere a cluster of somebody else's may come and go."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted(line.split(" ", 1)[1] for line in lines if str(directory) in line)


def processes_below(directory: Path) -> list[str]:
    """Processes of shims and containers whose root, or whose open files, lie below `directory`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if str(directory) in (entry / "mountinfo").read_text() or any(
                str(directory) in os.readlink(item) for item in (entry / "fd").iterdir()
            ):
                found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except OSError:  # it has ended
            continue
    return found
