"""One sandbox in the agent: its statuses, kept current by the shim's pushes, and the way to its shim."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from proa.runtime.embedded import records
from proa.runtime.embedded.client import Session, ShimError, ShimGoneError, request
from proa.runtime.protocol import ContainerState, ContainerStatus, RuntimeEvent, SandboxState, SandboxStatus

if TYPE_CHECKING:
    from proa.runtime.embedded.spec import SandboxSpec, StatusRecord
    from proa.runtime.embedded.wire import Message

_EVENTS = {ContainerState.RUNNING: "started", ContainerState.EXITED: "stopped"}


class Sandbox:
    """`emit` gets an event for each change; `on_lost` is called once when the shim died without being asked to."""

    def __init__(
        self,
        status: SandboxStatus,
        spec: SandboxSpec,
        emit: Callable[[RuntimeEvent], None],
        on_lost: Callable[[Sandbox], None],
    ) -> None:
        self.status = status
        self.spec = spec
        self.directory = Path(spec["directory"])
        self.containers: dict[str, ContainerStatus] = {}
        self.lock = asyncio.Lock()
        """Held while the sandbox is stopped or removed."""
        self._emit = emit
        self._on_lost = on_lost
        self._listener: asyncio.Task[None] | None = None

    @property
    def socket(self) -> Path:
        return self.directory / "shim.sock"

    def container_directory(self, container_id: str) -> Path:
        return self.directory / "containers" / container_id

    async def follow(self) -> None:
        """Subscribe to the shim; ShimGoneError when there is none. Returns with every status current."""
        session = Session.open(self.socket)
        try:
            await session.send({"op": "subscribe"})
            for record in (await session.receive())["containers"]:
                self.apply(record)
        except BaseException:
            session.close()
            raise
        self._listener = asyncio.create_task(self._listen(session), name=f"shim {self.status.id[:12]}")

    async def unfollow(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    async def _listen(self, session: Session) -> None:
        with session:
            try:
                while True:
                    self.apply((await session.receive())["status"])
            except ShimGoneError:
                if self.status.state is SandboxState.READY:
                    self._on_lost(self)

    async def ask(self, message: Message) -> Message:
        """One request to the shim; a status in the answer is taken over, also from a failure."""
        try:
            answer = await request(self.socket, message)
        except ShimError as error:
            if "status" in error.answer:
                self.apply(error.answer["status"])
            raise
        if "status" in answer:
            self.apply(answer["status"])
        return answer

    def apply(self, record: StatusRecord) -> None:
        """Take the shim's word; emit an event when the state changed."""
        known = self.containers.get(record["id"])
        if known is None:
            return
        merged = records.merge(known, record)
        self.containers[known.id] = merged
        if merged.state is not known.state and merged.state in _EVENTS:
            self._emit(RuntimeEvent(_EVENTS[merged.state], self.status.id, known.id))

    def set_state(self, state: SandboxState) -> None:
        self.status = dataclasses.replace(self.status, state=state)
        records.write(self.directory / "sandbox.json", self.status)

    def abandon(self) -> None:
        """The shim is gone and its containers with it: those without a recorded exit ended in a way nobody saw."""
        for container in list(self.containers.values()):
            seen = records.read_container(self.container_directory(container.id)) or container
            if seen.state is not ContainerState.EXITED and seen.state is not ContainerState.CREATED:
                seen = dataclasses.replace(
                    seen,
                    state=ContainerState.EXITED,
                    pid=0,
                    finished_at=time.time(),
                    exit_code=255,
                    reason="Error",
                    message="the pod's shim died; the exit code is not known",
                )
            self.containers[container.id] = seen
            if seen.state is not container.state and seen.state in _EVENTS:
                self._emit(RuntimeEvent(_EVENTS[seen.state], self.status.id, container.id))
