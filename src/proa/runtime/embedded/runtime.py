"""`Runtime` on the embedded OCI runtime: what the kubelet of an agent talks to.

It plans, asks shims to do, and remembers what they told; truth lives with the shims and in the state directory, so a
new instance on the same directory knows everything the last one did. Nothing here polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from proa.aio.tasks import TaskFailedError, TaskScope
from proa.base.build import VERSION
from proa.base.journal import Journal, NoJournal
from proa.linux import cgroups
from proa.linux.process import resident_bytes
from proa.runtime.embedded import plan, records, sessions, wire
from proa.runtime.embedded.client import ShimError, ShimGoneError
from proa.runtime.embedded.collaborators import HostNetwork, ImageStore, PodNetwork
from proa.runtime.embedded.nursery import Nursery
from proa.runtime.embedded.readiness import readable
from proa.runtime.embedded.sandbox import Sandbox
from proa.runtime.embedded.seccomp import SeccompProfiles
from proa.runtime.events import Events
from proa.runtime.protocol import (
    ContainerConfig,
    ContainerState,
    ContainerStats,
    ContainerStatus,
    LinuxResources,
    NamespaceMode,
    NotFoundError,
    RuntimeEvent,
    RuntimeFault,
    SandboxConfig,
    SandboxState,
    SandboxStatus,
    Streams,
)

log = logging.getLogger(__name__)

_KERNEL = (5, 12)
_EXEC_OUTPUT = 16 << 20
"""Bytes that exec_sync keeps of each stream (CRI ExecSync); what comes after is read and dropped."""
_EXEC_DRAIN_SECONDS = 2.0
"""How long exec_sync reads on after the process ended while a child of it still holds its output."""


# What RuntimeClasses may name as their handler; '' is what pods without one get. There is one way to run a pod here.
HANDLERS = ("", "proa")


class EmbeddedRuntime:
    """Implements `protocol.Runtime`. Make it with `open`, let go of it with `close`."""

    def __init__(
        self,
        root: Path,
        images: ImageStore,
        *,
        network: PodNetwork | None = None,
        cluster: str = "main",
        journal: Journal | None = None,
        seccomp_directory: Path = Path("/var/lib/kubelet/seccomp"),
    ) -> None:
        """`root`: the state directory, not on overlayfs. `cluster` names the cgroup subtree /proa/<cluster>."""
        self._root = root.absolute()
        self._images = images
        self._network = network or HostNetwork()
        self._journal = journal or NoJournal()
        self._cgroup = f"proa/{cluster}"
        self._tree = cgroups.detect()
        self._nursery = Nursery(self._root / "shims.log", f"{self._cgroup}/shims")
        self._seccomp = SeccompProfiles(seccomp_directory)
        self._sandboxes: dict[str, Sandbox] = {}
        self._owners: dict[str, Sandbox] = {}
        """Sandbox of each container."""
        self._events = Events()
        self._tasks = TaskScope("runtime", on_error=_report)

    @classmethod
    async def open(
        cls,
        root: Path,
        images: ImageStore,
        *,
        network: PodNetwork | None = None,
        cluster: str = "main",
        journal: Journal | None = None,
        seccomp_directory: Path = Path("/var/lib/kubelet/seccomp"),
    ) -> EmbeddedRuntime:
        """A runtime that has found again whatever runs under `root`."""
        runtime = cls(
            root, images, network=network, cluster=cluster, journal=journal, seccomp_directory=seccomp_directory
        )
        await runtime._recover()
        return runtime

    async def version(self) -> tuple[str, str]:
        return "proa", VERSION

    async def ready(self) -> dict[str, str]:
        if os.geteuid() != 0:
            return {"RuntimeReady": "making namespaces, mounts and cgroups needs root"}
        release = os.uname().release
        if tuple(map(int, release.split("-")[0].split(".")[:2])) < _KERNEL:
            return {"RuntimeReady": f"Linux {release} is too old: {_KERNEL[0]}.{_KERNEL[1]} is needed (mount_setattr)"}
        return {}

    # -- sandboxes

    async def run_sandbox(self, config: SandboxConfig) -> SandboxStatus:
        if config.runtime_handler not in HANDLERS:
            known = ", ".join(each for each in HANDLERS if each)
            raise RuntimeFault(f'no runtime for "{config.runtime_handler}" is configured: there is {known}')
        sandbox_id = secrets.token_hex(32)
        directory = self._root / "sandboxes" / sandbox_id
        spec = plan.plan_sandbox(sandbox_id, config, directory, self._cgroup)
        status = SandboxStatus(sandbox_id, config, SandboxState.NOT_READY, time.time())
        sandbox = Sandbox(status, spec, self._events.publish, self._lost)
        self._record(sandbox)
        try:
            (directory / "containers").mkdir(mode=0o700, parents=True)
            wire.write_atomically(str(directory / "hostname"), f"{config.hostname}\n".encode(), 0o644)
            records.write(directory / "spec.json", spec)
            pid = await self._nursery.fork_shim(directory / "spec.json")
            ips = await self._connect(sandbox, pid)
            await sandbox.follow()
            sandbox.status = SandboxStatus(sandbox_id, config, SandboxState.READY, status.created_at, ips, pid)
            records.write(directory / "sandbox.json", sandbox.status)
        except BaseException as error:
            await self._dismantle(sandbox)
            if isinstance(error, (ShimError, ShimGoneError, OSError)):
                raise RuntimeFault(f"failed to create pod sandbox: {error}", "CreatePodSandboxError") from error
            raise
        self._sandboxes[sandbox_id] = sandbox
        self._events.publish(RuntimeEvent("started", sandbox_id))
        return sandbox.status

    async def _connect(self, sandbox: Sandbox, pid: int) -> tuple[str, ...]:
        config = sandbox.status.config
        if config.network is NamespaceMode.NODE:
            return ()
        addresses = await self._network.attach(
            sandbox.status.id,
            Path(f"/proc/{pid}/ns/net"),
            namespace=config.namespace,
            name=config.name,
            port_mappings=config.port_mappings,
        )
        return addresses.ips

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        async with sandbox.lock:
            await self._stop(sandbox)

    async def _stop(self, sandbox: Sandbox) -> None:
        if sandbox.status.state is SandboxState.NOT_READY:
            return
        running = [item.id for item in sandbox.containers.values() if item.state is ContainerState.RUNNING]
        await asyncio.gather(*(self.stop_container(item, 0) for item in running))
        await self._detach(sandbox)
        sandbox.set_state(SandboxState.NOT_READY)
        with contextlib.suppress(ShimGoneError):  # gone already: the same result
            await sandbox.ask({"op": "shutdown"})
        await sandbox.unfollow()
        await self._wait_for_end(sandbox)
        self._events.publish(RuntimeEvent("stopped", sandbox.status.id))

    async def _detach(self, sandbox: Sandbox) -> None:
        if sandbox.status.config.network is not NamespaceMode.NODE:
            await self._network.detach(sandbox.status.id)

    async def _wait_for_end(self, sandbox: Sandbox) -> None:
        """Until the shim has left the process table: its namespaces and descriptors are then gone."""
        pid = records.shim_pid(sandbox.directory)
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                async with asyncio.timeout(10):
                    await readable(descriptor)
            finally:
                os.close(descriptor)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        async with sandbox.lock:
            await self._stop(sandbox)
            await self._dismantle(sandbox)
            for container_id in sandbox.containers:
                self._owners.pop(container_id, None)
            self._sandboxes.pop(sandbox_id, None)
        self._events.publish(RuntimeEvent("deleted", sandbox_id))

    async def _dismantle(self, sandbox: Sandbox) -> None:
        """Remove every trace of a sandbox, in whatever state its making or its shim's death left it."""
        await sandbox.unfollow()
        pid = records.shim_pid(sandbox.directory)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
            await self._wait_for_end(sandbox)
        await self._detach(sandbox)
        cgroup = sandbox.spec["cgroup"]

        def clean() -> None:
            self._tree.kill(cgroup)
            self._tree.remove(cgroup)
            if sandbox.directory.exists():
                shutil.rmtree(sandbox.directory)

        await asyncio.to_thread(clean)
        for kind, identity in self._identities(sandbox):
            self._journal.forget(kind, identity)

    def _record(self, sandbox: Sandbox) -> None:
        for kind, identity in self._identities(sandbox):
            self._journal.record(kind, identity)

    def _identities(self, sandbox: Sandbox) -> tuple[tuple[str, str], ...]:
        return (
            ("directory", str(sandbox.directory)),
            ("cgroup", sandbox.spec["cgroup"]),
            ("process", str(sandbox.directory / "shim.pid")),
        )

    async def sandboxes(self) -> Sequence[SandboxStatus]:
        return [item.status for item in self._sandboxes.values()]

    # -- containers

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        sandbox = self._sandbox(sandbox_id)
        image = await self._images.resolve(config.image)
        seccomp = await self._seccomp.program(config.security)
        container_id = secrets.token_hex(32)
        spec = plan.plan_container(container_id, config, sandbox.status.config, sandbox.spec, image, seccomp)
        status = ContainerStatus(
            container_id,
            sandbox_id,
            config,
            ContainerState.CREATED,
            time.time(),
            image_id=image.digest_reference,
            log_path=Path(spec["log"]) if spec["log"] else None,
        )
        directory = sandbox.container_directory(container_id)
        directory.mkdir(mode=0o700)
        try:
            records.write(directory / "spec.json", spec)
            records.write(directory / "container.json", status)
            sandbox.containers[container_id] = status
            await self._ask(sandbox, {"op": "create", "id": container_id}, "CreateContainerError")
        except BaseException:
            sandbox.containers.pop(container_id, None)
            await asyncio.to_thread(shutil.rmtree, directory)
            raise
        self._owners[container_id] = sandbox
        self._events.publish(RuntimeEvent("created", sandbox_id, container_id))
        return container_id

    async def start_container(self, container_id: str) -> None:
        sandbox = self._owner(container_id)
        await self._ask(sandbox, {"op": "start", "id": container_id}, "RunContainerError")

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        sandbox = self._owners.get(container_id)
        if sandbox is None or sandbox.containers[container_id].state is not ContainerState.RUNNING:
            return
        try:
            await sandbox.ask({"op": "stop", "id": container_id, "grace": grace_seconds})
        except ShimGoneError:
            return  # the container went with its shim

    async def remove_container(self, container_id: str) -> None:
        sandbox = self._owners.get(container_id)
        if sandbox is None:
            return
        with contextlib.suppress(ShimGoneError):  # stopping the sandbox removed the cgroups
            try:
                await sandbox.ask({"op": "remove", "id": container_id})
            except ShimError as error:
                raise RuntimeFault(f"remove container {container_id}: {error}") from error
        await asyncio.to_thread(shutil.rmtree, sandbox.container_directory(container_id))
        sandbox.containers.pop(container_id, None)
        self._owners.pop(container_id, None)
        self._events.publish(RuntimeEvent("deleted", sandbox.status.id, container_id))

    async def containers(self, sandbox_id: str = "") -> Sequence[ContainerStatus]:
        chosen = [self._sandbox(sandbox_id)] if sandbox_id else self._sandboxes.values()
        return [status for sandbox in chosen for status in sandbox.containers.values()]

    async def container(self, container_id: str) -> ContainerStatus:
        return self._owner(container_id).containers[container_id]

    async def update_resources(self, container_id: str, resources: LinuxResources) -> None:
        message: wire.Message = {"op": "update", "id": container_id, "limits": plan.plan_limits(resources)}
        await self._ask(self._owner(container_id), message, "")

    async def reopen_log(self, container_id: str) -> None:
        await self._ask(self._owner(container_id), {"op": "reopen", "id": container_id}, "")

    # -- sessions

    async def exec(
        self, container_id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False
    ) -> Streams:
        return await sessions.open_exec(self._running(container_id), container_id, command, tty=tty, stdin=stdin)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> tuple[int, bytes, bytes]:
        sandbox = self._running(container_id)
        streams = await sessions.open_exec(sandbox, container_id, command, tty=False, stdin=False)
        assert streams.stderr is not None
        output = [asyncio.ensure_future(_read_all(item)) for item in (streams.stdout, streams.stderr)]
        try:
            async with asyncio.timeout(timeout if timeout > 0 else None):
                code = await streams.wait()
            await asyncio.wait(output, timeout=_EXEC_DRAIN_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"command {command[0]!r} timed out after {timeout} s") from None
        finally:
            await streams.close()
            stdout, stderr = await asyncio.gather(*output)
        return code, stdout, stderr

    async def attach(self, container_id: str) -> Streams:
        sandbox = self._running(container_id)
        return await sessions.open_attach(sandbox, container_id, self._tasks)

    async def port_forward(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await sessions.open_forward(self._sandbox(sandbox_id), port)

    # -- observation

    async def stats(self) -> Sequence[ContainerStats]:
        running = [
            (status.id, sandbox)
            for sandbox in self._sandboxes.values()
            for status in sandbox.containers.values()
            if status.state is ContainerState.RUNNING
        ]

        def measure() -> list[ContainerStats]:
            found = []
            for container_id, sandbox in running:
                with contextlib.suppress(FileNotFoundError, OSError):  # it ended in between
                    usage = self._tree.usage(f"{sandbox.spec['cgroup']}/{container_id}")
                    upper = sandbox.container_directory(container_id) / "upper"
                    found.append(ContainerStats(container_id, time.time(), **usage, writable_bytes=_disk_usage(upper)))
            return found

        return await asyncio.to_thread(measure)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        return self._events.subscribe()

    def statistics(self) -> dict[str, int]:
        """How many there are; resident bytes of the zygote and of all shims (shared pages counted each time)."""
        pids = [item.status.pid for item in self._sandboxes.values() if item.status.state is SandboxState.READY]
        shims = 0
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                shims += resident_bytes(pid)
        return {
            "sandboxes": len(self._sandboxes),
            "containers": len(self._owners),
            "zygote_pid": self._nursery.pid,
            "zygote_resident_bytes": self._nursery.resident_bytes(),
            "shim_resident_bytes": shims,
        }

    async def close(self) -> None:
        await asyncio.gather(*(item.unfollow() for item in self._sandboxes.values()))
        await self._tasks.close()
        self._events.close()
        await self._nursery.close()

    async def teardown(self) -> None:
        """Stop and remove every pod, and what the runtime itself made: cgroups, the state directory's contents."""
        for sandbox_id in list(self._sandboxes):
            await self.remove_sandbox(sandbox_id)
        await self.close()

        def clean() -> None:
            self._tree.kill(self._cgroup)
            self._tree.remove(self._cgroup)
            self._tree.remove_if_empty(self._cgroup.partition("/")[0])
            shutil.rmtree(self._root / "sandboxes")
            (self._root / "shims.log").unlink(missing_ok=True)

        await asyncio.to_thread(clean)
        self._journal.forget("cgroup", self._cgroup)
        self._journal.forget("directory", str(self._root / "sandboxes"))

    # -- recovery

    async def _recover(self) -> None:
        """Find shims and records of earlier agents; what was half made or died meanwhile is cleaned up."""
        home = self._root / "sandboxes"
        self._journal.record("directory", str(home))
        self._journal.record("cgroup", self._cgroup)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in sorted(home.iterdir()):
            await self._recover_sandbox(directory)

    async def _recover_sandbox(self, directory: Path) -> None:
        status = records.read_sandbox(directory)
        if status is None:
            nameless = SandboxStatus(directory.name, SandboxConfig("", "", ""), SandboxState.NOT_READY, 0.0)
            spec = records.read_sandbox_spec(directory)
            if spec is None:
                shutil.rmtree(directory)
            else:
                await self._dismantle(Sandbox(nameless, spec, self._events.publish, self._lost))
            return
        spec = records.read_sandbox_spec(directory)
        assert spec is not None, f"{directory} has a sandbox.json, which is written after spec.json"
        sandbox = Sandbox(status, spec, self._events.publish, self._lost)
        for child in (directory / "containers").iterdir():
            container = records.read_container(child)
            if container is None or not (child / "status.json").exists():
                await asyncio.to_thread(shutil.rmtree, child)
                continue
            sandbox.containers[container.id] = container
            self._owners[container.id] = sandbox
        self._sandboxes[status.id] = sandbox
        if status.state is not SandboxState.READY:
            sandbox.abandon()  # what an earlier agent buried: its containers' records still say running
            return
        try:
            await sandbox.follow()
        except ShimGoneError:
            await self._bury(sandbox)

    def _lost(self, sandbox: Sandbox) -> None:
        """A shim died: its subscription ended without a stop."""
        self._tasks.spawn(self._bury(sandbox), name=f"bury {sandbox.status.id[:12]}")

    async def _bury(self, sandbox: Sandbox) -> None:
        """Kill what a dead shim left, free the network, then tell: a container is reported as ended when it has."""
        async with sandbox.lock:
            if sandbox.status.state is SandboxState.NOT_READY:
                return
            await asyncio.to_thread(self._tree.remove, sandbox.spec["cgroup"])
            await self._detach(sandbox)
            sandbox.abandon()
            sandbox.set_state(SandboxState.NOT_READY)  # last: an agent that dies before this does it all again
        self._events.publish(RuntimeEvent("stopped", sandbox.status.id))

    # -- helpers

    def _sandbox(self, sandbox_id: str) -> Sandbox:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise NotFoundError(f"pod sandbox {sandbox_id!r} not found")
        return sandbox

    def _owner(self, container_id: str) -> Sandbox:
        sandbox = self._owners.get(container_id)
        if sandbox is None:
            raise NotFoundError(f"container {container_id!r} not found")
        return sandbox

    def _running(self, container_id: str) -> Sandbox:
        sandbox = self._owner(container_id)
        state = sandbox.containers[container_id].state
        if state is not ContainerState.RUNNING:
            raise RuntimeFault(f"container {container_id} is in {state.value} state, it must be running")
        return sandbox

    async def _ask(self, sandbox: Sandbox, message: wire.Message, reason: str) -> None:
        try:
            await sandbox.ask(message)
        except (ShimError, ShimGoneError) as error:
            raise RuntimeFault(str(error), reason) from error


def _report(failure: TaskFailedError) -> None:
    log.error("%s", failure, exc_info=failure.__cause__)


async def _read_all(stream: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data := await stream.read(1 << 16):
        parts.append(data[: _EXEC_OUTPUT - size])
        size += len(parts[-1])
    return b"".join(parts)


def _disk_usage(directory: Path) -> int:
    """Bytes on disk below a directory, without following links."""
    total = 0
    for path, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(f"{path}/{name}").st_blocks * 512
    return total
