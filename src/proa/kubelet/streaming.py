"""Exec and attach sessions over WebSocket: `v5.channel.k8s.io`, `v4.channel.k8s.io` (KEP-4006), `channel.k8s.io`.

Each binary message is one channel byte and data: 0 stdin, 1 stdout, 2 stderr, 3 the closing Status, 4 terminal size,
and in v5 255, which closes the channel named by the next byte. The oldest has only the text of a failure in 3. The
session's end is the process's end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from proa.runtime.protocol import RuntimeFault, Streams

if TYPE_CHECKING:
    from aiohttp import web

_PLAIN = "channel.k8s.io"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", _PLAIN)

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_BLOCK = 32 << 10


def exit_status(code: int) -> dict[str, Any]:
    """The Status that ends a session; a client finds the exit code in its details."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> dict[str, Any]:
    return {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}


async def run_session(
    socket: web.WebSocketResponse, streams: Streams, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> None:
    """Connect a process and a client until the process ends or the client leaves."""
    if stdout:  # tells the client that the session stands
        await socket.send_bytes(bytes((STDOUT,)))
    outputs = []
    if stdout:
        outputs.append(asyncio.ensure_future(_copy(streams.stdout, socket, STDOUT)))
    if stderr and not tty and streams.stderr is not None:
        outputs.append(asyncio.ensure_future(_copy(streams.stderr, socket, STDERR)))
    incoming = asyncio.ensure_future(_receive(socket, streams, stdin=stdin, tty=tty))
    waiting = asyncio.ensure_future(streams.wait())
    try:
        await asyncio.wait((waiting, incoming), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            return  # the client has left
        if outputs:
            await asyncio.wait(outputs)  # what the process has said before it ended
        try:
            status = exit_status(waiting.result())
        except (RuntimeFault, OSError) as error:
            status = failure_status(str(error))
        ending = msgspec.json.encode(status)
        if socket.ws_protocol == _PLAIN:
            ending = status.get("message", "").encode()
        if ending:
            await socket.send_bytes(bytes((ERROR,)) + ending)
        await socket.close()
    finally:
        tasks = (*outputs, incoming, waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await streams.close()


async def _copy(reader: asyncio.StreamReader, socket: web.WebSocketResponse, channel: int) -> None:
    prefix = bytes((channel,))
    while data := await reader.read(_BLOCK):
        await socket.send_bytes(prefix + data)


async def _receive(socket: web.WebSocketResponse, streams: Streams, *, stdin: bool, tty: bool) -> None:
    """What the client sends, until it closes the connection."""
    from aiohttp import WSMsgType

    async for message in socket:
        if message.type is WSMsgType.BINARY:
            data: bytes = message.data
        elif message.type is WSMsgType.TEXT:
            data = message.data.encode()
        else:
            continue
        if not data:
            continue
        channel, payload = data[0], data[1:]
        try:
            if channel == STDIN and stdin and payload:
                await streams.write(payload)
            elif channel == RESIZE and tty:
                size = msgspec.json.decode(payload)
                await streams.resize(int(size.get("Width", 0)), int(size.get("Height", 0)))
            elif channel == CLOSE and payload[:1] == bytes((STDIN,)):
                await streams.close_stdin()
        except (BrokenPipeError, ConnectionResetError):
            stdin = False  # the process does not read any more; its end will say the rest
