"""Exec, attach and port-forward on the agent's side: descriptors are handed to the shim or taken from it.

Bytes of an exec'd process and of a forwarded connection go between it and the agent directly; only an attachment's go
through the shim, which also logs them.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proa.aio.tasks import TaskScope
from proa.runtime.embedded import records
from proa.runtime.embedded.client import Session, ShimError, ShimGoneError
from proa.runtime.embedded.sandbox import Sandbox
from proa.runtime.embedded.streams import DescriptorReader, DescriptorWriter, ProcessStreams, open_terminal
from proa.runtime.protocol import RuntimeFault

if TYPE_CHECKING:
    from proa.runtime.embedded.wire import Message

_KILLED = 137
"""The exit code of an exec'd process whose shim vanished: it died with it."""
_UNKNOWN = 255


async def open_exec(
    sandbox: Sandbox, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool
) -> ProcessStreams:
    """Run `command` in a running container. RuntimeFault when it can not be started."""
    if not command:
        raise RuntimeFault("exec: the command is empty")
    spec = records.read_spec(sandbox.container_directory(container_id))["process"]
    spec["args"], spec["tty"] = list(command), tty
    message: Message = {"op": "exec", "id": container_id, "process": spec}
    session = _open(sandbox)
    ends = _Ends()
    try:
        await session.send(message, () if tty else ends.open(stdin=stdin))
        ends.close_theirs()
        await session.receive()
        if not tty:
            return ends.streams(session, lost_code=_KILLED)
        reader, writer, resize = open_terminal(session.take()[0])
        if not stdin:
            writer.close()
        return ProcessStreams(session, reader, None, writer if stdin else None, resize, lost_code=_KILLED)
    except BaseException as error:
        session.close()
        ends.close()
        if isinstance(error, (ShimError, ShimGoneError)):
            raise RuntimeFault(f"failed to exec in container: {error}") from error
        raise


async def open_attach(sandbox: Sandbox, container_id: str, tasks: TaskScope) -> ProcessStreams:
    """Join a running container's streams. `tasks` owns the sending of resizes."""
    config = sandbox.containers[container_id].config
    session = _open(sandbox)
    ends = _Ends()

    def resize(width: int, height: int) -> None:
        message = {"op": "attach", "id": container_id, "width": width, "height": height}
        tasks.spawn(session.send(message), name="resize")

    try:
        descriptors = ends.open(stdin=True)
        await session.send({"op": "attach", "id": container_id}, descriptors[:2] if config.tty else descriptors)
        ends.close_theirs()
        await session.receive()
        return ends.streams(session, lost_code=_UNKNOWN, resize=resize, tty=config.tty, stdin=config.stdin)
    except BaseException as error:
        session.close()
        ends.close()
        if isinstance(error, (ShimError, ShimGoneError)):
            raise RuntimeFault(f"failed to attach to container: {error}") from error
        raise


async def open_forward(sandbox: Sandbox, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the port on the pod's loopback."""
    with _open(sandbox) as session:
        try:
            await session.send({"op": "forward", "port": port})
            await session.receive()
        except (ShimError, ShimGoneError) as error:
            raise RuntimeFault(f"failed to forward: {error}") from error
        connection = socket.socket(fileno=session.take()[0])
    connection.setblocking(False)
    return await asyncio.open_connection(sock=connection)


def _open(sandbox: Sandbox) -> Session:
    try:
        return Session.open(sandbox.socket)
    except ShimGoneError as error:
        raise RuntimeFault(f"pod sandbox {sandbox.status.id} is not running: {error}") from error


class _Ends:
    """The pipes of a session without a terminal: three ends for the process, three for us."""

    def __init__(self) -> None:
        self._ours: list[int] = []
        self._theirs: list[int] = []

    def open(self, *, stdin: bool) -> list[int]:
        """stdin, stdout, stderr for the other side; without `stdin` its first is /dev/null."""
        read, write = os.pipe2(os.O_CLOEXEC)
        if not stdin:
            os.close(read)
            os.close(write)
            read, write = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1
        self._ours, self._theirs = [write], [read]
        for _ in range(2):
            read, write = os.pipe2(os.O_CLOEXEC)
            self._ours.append(read)
            self._theirs.append(write)
        return self._theirs

    def close_theirs(self) -> None:
        for descriptor in self._theirs:
            os.close(descriptor)
        self._theirs = []

    def close(self) -> None:
        self.close_theirs()
        for descriptor in self._ours:
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = []

    def streams(
        self,
        session: Session,
        *,
        lost_code: int,
        resize: Callable[[int, int], None] | None = None,
        tty: bool = False,
        stdin: bool = True,
    ) -> ProcessStreams:
        write, out, err = self._ours
        self._ours = []
        writer = DescriptorWriter(write) if write >= 0 else None
        errors = DescriptorReader(err)
        if tty:
            errors.close()
        if not stdin and writer is not None:
            writer.close()
            writer = None
        return ProcessStreams(
            session, DescriptorReader(out), None if tty else errors, writer, resize, lost_code=lost_code
        )
