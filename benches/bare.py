"""The bare handler: aiohttp over TLS and nothing else, as a process. What the same bytes cost without Kubernetes.

It reads what it is sent and answers the bytes of the last `PUT /`: 201 to POST, 200 to all else.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(pki: Path) -> None:
    """With the certificates of a cluster, so that the TLS is the same too. Prints its port."""
    answer = b""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal answer
        body = await request.read()
        if request.method == "PUT":
            answer = body
        status = 201 if request.method == "POST" else 200
        return web.Response(status=status, body=answer, content_type="application/json")

    loop = asyncio.get_running_loop()
    server = web.Server(handle, access_log=None)
    server.request_factory = lambda *args: web.BaseRequest(*args, loop, client_max_size=1 << 30)  # type: ignore
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    tls.load_verify_locations(pki / "ca.crt")
    tls.verify_mode = ssl.CERT_OPTIONAL  # as an API server asks
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=tls, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
