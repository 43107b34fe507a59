"""`protocol.Runtime` without any process: containers are records and timers."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import IPv4Network

from proa.aio.clock import Clock, SystemClock
from proa.runtime.events import Events
from proa.runtime.fake.behaviour import Behaviour
from proa.runtime.fake.images import FakeImages
from proa.runtime.fake.process import FakeProcess
from proa.runtime.fake.programs import Program, Sleep, understand
from proa.runtime.fake.streams import FakeStreams
from proa.runtime.logs import LogWriter
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

_SERVER = Program((Sleep(math.inf),), on_term=0)
"""A command we do not understand: it serves until asked to stop, then ends well."""


class _Container:
    """One container's record, its process and who is attached."""

    __slots__ = ("behaviour", "ended", "log", "process", "sessions", "status", "timers")

    def __init__(self, status: ContainerStatus, behaviour: Behaviour) -> None:
        self.status = status
        self.behaviour = behaviour
        self.process: FakeProcess | None = None
        self.log: LogWriter | None = None
        self.sessions: list[FakeStreams] = []
        self.ended: asyncio.Event | None = None
        self.timers: list[asyncio.TimerHandle] = []


class FakeRuntime:
    """`behaviour(config)` scripts containers, `pod_cidr` is where pods get addresses; both have plausible defaults.

    After `close` the instance can be used again: it is then what a new agent finds on its node.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        behaviour: Callable[[ContainerConfig], Behaviour] | None = None,
        images: FakeImages | None = None,
        pod_cidr: IPv4Network = IPv4Network("10.244.0.0/16"),
        sandbox_latency: float = 0.0,
        identifier: Callable[[], str] = lambda: secrets.token_hex(32),
    ) -> None:
        """`identifier` makes sandbox and container ids; `sandbox_latency` is in seconds."""
        self._clock = clock or SystemClock()
        self._behaviour = behaviour or (lambda _: Behaviour())
        self._images = images or FakeImages()
        self._sandbox_latency = sandbox_latency
        self._identifier = identifier
        self._pod_cidr = pod_cidr
        self._used_addresses = 2  # the network's own and the gateway's
        self._free_addresses: list[str] = []
        self._sandboxes: dict[str, SandboxStatus] = {}
        self._containers: dict[str, _Container] = {}
        self._members: dict[str, dict[str, _Container]] = {}
        self._events = Events()

    async def version(self) -> tuple[str, str]:
        return "fake", "1"

    async def ready(self) -> dict[str, str]:
        return {}

    # -- sandboxes

    async def run_sandbox(self, config: SandboxConfig) -> SandboxStatus:
        if self._sandbox_latency:
            await asyncio.sleep(self._sandbox_latency)
        sandbox_id = self._identifier()
        ips = () if config.network is NamespaceMode.NODE else (self._take_address(),)
        status = SandboxStatus(sandbox_id, config, SandboxState.READY, self._now(), ips, pid=0)
        self._sandboxes[sandbox_id] = status
        self._members[sandbox_id] = {}
        self._events.publish(RuntimeEvent("started", sandbox_id))
        return status

    async def stop_sandbox(self, sandbox_id: str) -> None:
        status = self._sandboxes.get(sandbox_id)
        if status is None or status.state is SandboxState.NOT_READY:
            return
        for container in list(self._members[sandbox_id].values()):
            if container.process is not None:
                container.process.kill()
        self._free_addresses.extend(status.ips)
        self._sandboxes[sandbox_id] = dataclasses.replace(status, state=SandboxState.NOT_READY)
        self._events.publish(RuntimeEvent("stopped", sandbox_id))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._sandboxes:
            return
        await self.stop_sandbox(sandbox_id)
        for container_id in self._members.pop(sandbox_id):
            del self._containers[container_id]
        del self._sandboxes[sandbox_id]
        self._events.publish(RuntimeEvent("deleted", sandbox_id))

    async def sandboxes(self) -> Sequence[SandboxStatus]:
        return list(self._sandboxes.values())

    # -- containers

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        sandbox = self._sandbox(sandbox_id)
        if sandbox.state is not SandboxState.READY:
            raise RuntimeFault(f"pod sandbox {sandbox_id} is not ready", "CreateContainerError")
        image = await self._images.find(config.image)
        if image is None:
            raise NotFoundError(f"image {config.image!r} not found", "CreateContainerError")
        try:
            behaviour = self._behaviour(config).with_annotations({**sandbox.config.annotations, **config.annotations})
        except ValueError as error:
            raise RuntimeFault(str(error), "CreateContainerConfigError") from error
        directory = sandbox.config.log_directory
        log_path = directory / config.log_path if directory and config.log_path else None
        status = ContainerStatus(
            self._identifier(),
            sandbox_id,
            config,
            ContainerState.CREATED,
            self._now(),
            image_id=image.digests[0],
            log_path=log_path,
        )
        container = _Container(status, behaviour)
        self._containers[status.id] = self._members[sandbox_id][status.id] = container
        self._events.publish(RuntimeEvent("created", sandbox_id, status.id))
        return status.id

    async def start_container(self, container_id: str) -> None:
        container = self._find(container_id)
        if container.status.state is not ContainerState.CREATED:
            raise RuntimeFault(
                f"container {container_id} is {container.status.state.value}, only a created one can be started",
                "RunContainerError",
            )
        behaviour = container.behaviour
        if behaviour.start_latency:
            await asyncio.sleep(behaviour.start_latency)
        if behaviour.start_error:
            self._exited(container, 128, 0, "StartError", behaviour.start_error)
            raise RuntimeFault(behaviour.start_error, "RunContainerError")
        container.log = self._open_log(container.status)
        container.process = FakeProcess(
            _program(container.status.config, behaviour),
            lambda stream, data: self._printed(container, stream, data),
            lambda code, signal: self._exited(container, code, signal),
        )
        container.status = dataclasses.replace(
            container.status, state=ContainerState.RUNNING, started_at=self._now(), pid=1
        )
        self._events.publish(RuntimeEvent("started", container.status.sandbox_id, container_id))
        for line in behaviour.logs:
            self._printed(container, "stdout", f"{line}\n".encode())
        container.process.start()

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.process is None or container.process.ended:
            return
        loop, latency = asyncio.get_running_loop(), container.behaviour.stop_latency
        if grace_seconds > 0:
            if latency is None:
                container.process.terminate()
            elif latency < math.inf:
                container.timers.append(loop.call_later(latency, container.process.kill_gently))
        if container.status.state is ContainerState.EXITED:
            return
        container.timers.append(loop.call_later(max(0.0, grace_seconds), container.process.kill))
        container.ended = container.ended or asyncio.Event()
        await container.ended.wait()

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        if container.process is not None:
            container.process.kill()
        del self._containers[container_id]
        del self._members[container.status.sandbox_id][container_id]
        self._events.publish(RuntimeEvent("deleted", container.status.sandbox_id, container_id))

    async def containers(self, sandbox_id: str = "") -> Sequence[ContainerStatus]:
        if sandbox_id:
            self._sandbox(sandbox_id)
            return [item.status for item in self._members[sandbox_id].values()]
        return [item.status for item in self._containers.values()]

    async def container(self, container_id: str) -> ContainerStatus:
        return self._find(container_id).status

    async def update_resources(self, container_id: str, resources: LinuxResources) -> None:
        container = self._find(container_id)
        config = dataclasses.replace(container.status.config, resources=resources)
        container.status = dataclasses.replace(container.status, config=config)

    async def reopen_log(self, container_id: str) -> None:
        container = self._find(container_id)
        if container.log is not None:
            container.log.reopen()

    # -- sessions

    async def exec(
        self, container_id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False
    ) -> Streams:
        container = self._running(container_id)
        program = understand(command) if command else None
        problem = container.behaviour.exec_error
        if not problem and program is None:
            name = command[0] if command else ""
            problem = f'exec: "{name}": executable file not found in $PATH'
        if problem or program is None:
            raise RuntimeFault(f"failed to exec in container: {problem}")
        process = FakeProcess(
            dataclasses.replace(program, on_term=143),
            lambda stream, data: session.feed(stream, data),
            lambda code, _: session.finish(code),
        )
        session = FakeStreams(process, tty=tty, stdin=stdin, on_close=process.kill)
        process.start()
        if not stdin:
            process.end_input()
        return session

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> tuple[int, bytes, bytes]:
        session = await self.exec(container_id, command)
        assert session.stderr is not None
        try:
            async with asyncio.timeout(timeout if timeout > 0 else None):
                code = await session.wait()
        except TimeoutError:
            raise TimeoutError(f"command {command[0]!r} timed out after {timeout} s") from None
        finally:
            await session.close()
        return code, await session.stdout.read(-1), await session.stderr.read(-1)

    async def attach(self, container_id: str) -> Streams:
        container = self._running(container_id)
        assert container.process is not None
        config = container.status.config
        session = FakeStreams(
            container.process, tty=config.tty, stdin=config.stdin, on_close=lambda: self._detached(container, session)
        )
        container.sessions.append(session)
        return session

    def _detached(self, container: _Container, session: FakeStreams) -> None:
        if session in container.sessions:
            container.sessions.remove(session)
        config = container.status.config
        if config.stdin and config.stdin_once and container.process is not None and not container.process.ended:
            container.process.end_input()

    async def port_forward(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._sandbox(sandbox_id)
        processes = [item.process for item in self._members[sandbox_id].values()]
        if not any(item is not None and item.port == port and not item.ended for item in processes):
            raise RuntimeFault(f"failed to forward: connect to port {port} in the pod: connection refused")
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(_Echo, sock=theirs)
        return await asyncio.open_connection(sock=ours)

    # -- observation

    async def stats(self) -> Sequence[ContainerStats]:
        """A tenth of what is asked for, at least 1 millicore and 8 MiB: plausible for autoscalers and `top`."""
        now, found = self._now(), []
        for item in self._containers.values():
            if item.status.state is ContainerState.RUNNING:
                resources = item.status.config.resources
                cores = max(0.001, (resources.cpu_shares or 0) / 10_240)
                memory = max(8 << 20, (resources.memory_limit or 0) // 10)
                cpu = int((now - item.status.started_at) * cores * 1e9)
                found.append(ContainerStats(item.status.id, now, cpu, memory, memory))
        return found

    def events(self) -> AsyncIterator[RuntimeEvent]:
        return self._events.subscribe()

    def statistics(self) -> dict[str, int]:
        return {"sandboxes": len(self._sandboxes), "containers": len(self._containers)}

    async def close(self) -> None:
        self._events.close()
        self._events = Events()

    # -- helpers

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _take_address(self) -> str:
        if self._free_addresses:
            return self._free_addresses.pop(0)
        if self._used_addresses >= self._pod_cidr.num_addresses - 1:
            raise RuntimeFault(f"no free address in {self._pod_cidr}", "CreatePodSandboxError")
        address = self._pod_cidr[self._used_addresses]
        self._used_addresses += 1
        return str(address)

    def _open_log(self, status: ContainerStatus) -> LogWriter | None:
        if status.log_path is None:
            return None
        return LogWriter(str(status.log_path), lambda: int(self._now() * 1e9))

    def _printed(self, container: _Container, stream: str, data: bytes) -> None:
        if container.log is not None:
            container.log.write(stream, data)
        for session in container.sessions:
            session.feed(stream, data)

    def _exited(self, container: _Container, code: int, signal: int, reason: str = "", message: str = "") -> None:
        if container.behaviour.oom and not signal and not reason:
            reason, signal = "OOMKilled", 9
        container.status = dataclasses.replace(
            container.status,
            state=ContainerState.EXITED,
            finished_at=self._now(),
            exit_code=code,
            signal=signal,
            reason=reason or ("Error" if code else "Completed"),
            message=message,
            pid=0,
        )
        for timer in container.timers:
            timer.cancel()
        container.timers.clear()
        if container.log is not None:
            container.log.finish("stdout")
            container.log.finish("stderr")
            container.log.close()
        for session in container.sessions:
            session.finish(code)
        if container.ended is not None:
            container.ended.set()
        self._events.publish(RuntimeEvent("stopped", container.status.sandbox_id, container.status.id))

    def _sandbox(self, sandbox_id: str) -> SandboxStatus:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise NotFoundError(f"pod sandbox {sandbox_id!r} not found")
        return sandbox

    def _find(self, container_id: str) -> _Container:
        container = self._containers.get(container_id)
        if container is None:
            raise NotFoundError(f"container {container_id!r} not found")
        return container

    def _running(self, container_id: str) -> _Container:
        container = self._find(container_id)
        if container.status.state is not ContainerState.RUNNING:
            raise RuntimeFault(
                f"container {container_id} is in {container.status.state.value} state, it must be running"
            )
        return container


def _program(config: ContainerConfig, behaviour: Behaviour) -> Program:
    if behaviour.exit_after is not None:
        return Program((Sleep(behaviour.exit_after),), behaviour.exit_code, on_term=143)
    arguments = (*config.command, *config.args)
    return (understand(arguments) if arguments else None) or _SERVER


class _Echo(asyncio.Protocol):
    """The far end of a simulated connection: says what it hears."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
