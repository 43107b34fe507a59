"""Port forwarding over WebSocket: SPDY/3.1 frames in binary messages, and the older pairs of channels.

In the tunnel each forwarded connection is two streams that share a requestID: `error`, on which a message is sent when
it fails, and `data`. Peers keep no SPDY windows (kubectl sends no WINDOW_UPDATE), so pressure is put on the one
connection below: a pod that does not read fills its own stream's queue before it holds up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proa.kubelet import spdy
from proa.runtime.protocol import RuntimeFault

if TYPE_CHECKING:
    from aiohttp import web

TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNELS = ("v4.channel.k8s.io", "portforward.k8s.io")

Connect = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens a connection to a port inside the pod."""

_BLOCK = 32 << 10
_QUEUED = 64


@dataclass(slots=True)
class _Stream:
    id: int
    request: str
    kind: str
    port: int
    received: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(_QUEUED))


class Tunnel:
    """One client's forwarded connections, multiplexed by SPDY."""

    def __init__(self, socket: web.WebSocketResponse, connect: Connect) -> None:
        self._socket = socket
        self._connect = connect
        self._framer = spdy.Framer()
        self._streams: dict[int, _Stream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client leaves."""
        from aiohttp import WSMsgType

        try:
            async for message in self._socket:
                if message.type is WSMsgType.BINARY:
                    for frame in self._framer.feed(message.data):
                        await self._handle(frame)
        except spdy.SpdyError:
            await self._send(spdy.GoAway(max(self._streams, default=0), spdy.PROTOCOL_ERROR))
            raise
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.SynStream(identity, headers, fin):
                await self._open(identity, headers, fin)
            case spdy.Data(identity, data, fin):
                stream = self._streams.get(identity)
                if stream is not None and stream.kind == "data":
                    if data:
                        await stream.received.put(data)
                    if fin:
                        await stream.received.put(None)
            case spdy.ResetStream(identity, _):
                stream = self._streams.pop(identity, None)
                task = self._tasks.get(identity)
                if stream is not None and task is not None:
                    task.cancel()
            case spdy.Ping(identity):
                await self._send(spdy.Ping(identity))
            case _:
                pass  # settings, windows, goaway: the WebSocket's end is what counts

    async def _open(self, identity: int, headers: dict[str, str] | object, fin: bool) -> None:
        assert isinstance(headers, dict)
        kind = headers.get("streamtype", "")
        text = headers.get("port", "")
        if kind not in ("data", "error") or not text.isdigit() or not 0 < int(text) < 65536:
            await self._send(spdy.ResetStream(identity, spdy.REFUSED_STREAM))
            return
        stream = _Stream(identity, headers.get("requestid", ""), kind, int(text))
        self._streams[identity] = stream
        await self._send(spdy.SynReply(identity, {}))
        if kind == "data":
            if fin:
                await stream.received.put(None)
            task = asyncio.ensure_future(self._forward(stream))
            self._tasks[identity] = task
            task.add_done_callback(lambda _: self._tasks.pop(identity, None))

    async def _forward(self, stream: _Stream) -> None:
        """One connection, from its data stream to the pod and back."""
        problem = ""
        try:
            try:
                reader, writer = await self._connect(stream.port)
            except (RuntimeFault, OSError, TimeoutError) as error:
                problem = f"error forwarding port {stream.port} to pod: {error}"
                return
            try:
                await self._pump(stream, reader, writer)
            finally:
                writer.close()
        finally:
            if not self._socket.closed:
                await self._finish(stream, problem)

    async def _pump(self, stream: _Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def upload() -> None:
            while (data := await stream.received.get()) is not None:
                writer.write(data)
                await writer.drain()
            with contextlib.suppress(OSError, NotImplementedError):
                writer.write_eof()

        sending = asyncio.ensure_future(upload())
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(_BLOCK):
                    await self._send(spdy.Data(stream.id, data))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _finish(self, stream: _Stream, problem: str) -> None:
        with contextlib.suppress(ConnectionError):
            for each in list(self._streams.values()):
                if each.kind == "error" and each.request == stream.request:
                    await self._send(spdy.Data(each.id, problem.encode(), fin=True))
                    del self._streams[each.id]
            if self._streams.pop(stream.id, None) is not None:
                await self._send(spdy.Data(stream.id, b"", fin=True))

    async def _send(self, frame: spdy.Frame) -> None:
        # Encoding and handing over must not be interleaved with another frame's: headers share one zlib stream.
        await self._socket.send_bytes(self._framer.encode(frame))


async def run_channels(socket: web.WebSocketResponse, connect: Connect, ports: Sequence[int]) -> None:
    """The older protocol: for the i-th port channel 2i carries data and 2i+1 errors; each begins with the port."""
    from aiohttp import WSMsgType

    writers: dict[int, asyncio.StreamWriter] = {}
    tasks = []

    async def download(channel: int, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_BLOCK):
                await socket.send_bytes(bytes((channel,)) + data)

    try:
        for index, port in enumerate(ports):
            number = struct.pack("<H", port)
            await socket.send_bytes(bytes((2 * index,)) + number)
            await socket.send_bytes(bytes((2 * index + 1,)) + number)
            try:
                reader, writers[2 * index] = await connect(port)
            except (RuntimeFault, OSError, TimeoutError) as error:
                text = f"error forwarding port {port} to pod: {error}"
                await socket.send_bytes(bytes((2 * index + 1,)) + text.encode())
                continue
            tasks.append(asyncio.ensure_future(download(2 * index, reader)))
        async for message in socket:
            if message.type is WSMsgType.BINARY and message.data and message.data[0] in writers:
                writer = writers[message.data[0]]
                writer.write(message.data[1:])
                await writer.drain()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers.values():
            writer.close()
