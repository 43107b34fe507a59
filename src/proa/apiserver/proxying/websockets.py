"""WebSocket frames passed on between two connections that this server has accepted and made itself.

Unlike a tunnel it sees where messages end and how a side closes. Not here: what the frames mean.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp.web_ws import WebSocketResponse


async def pass_both_ways(front: WebSocketResponse, backend: aiohttp.ClientWebSocketResponse) -> None:
    """Frames in both directions until one side closes; its close code goes to the other.

    A side that is lost without a closing handshake ends the other with 1011, so a client sees that something broke.
    """

    async def pass_on(source: Any, backend: Any) -> None:
        while True:
            message = await source.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                await backend.send_bytes(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                await backend.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE:
                # Not `close_code`: that turns into 1006, which no frame may carry, when the peer does not await ours.
                await backend.close(code=message.data or aiohttp.WSCloseCode.OK)
                return
            else:
                await backend.close(code=aiohttp.WSCloseCode.INTERNAL_ERROR)
                return

    directions = [asyncio.create_task(pass_on(front, backend)), asyncio.create_task(pass_on(backend, front))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in directions:
            each.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        await front.close()
