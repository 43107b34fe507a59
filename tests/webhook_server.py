"""A webhook backend for tests: HTTPS with a certificate of its own authority, answers by path, remembers what came."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from proa.pki.certificates import Subject, create_authority, issue

Document = dict[str, Any]
Answer = Callable[[Document], Any]
"""The whole review in, the whole answer out: a document, bytes as they are, an aiohttp response, or an awaitable."""


def answering(**response: Any) -> Answer:
    """An AdmissionReview's answer that says the same to everything."""

    def answer(review: Document) -> Document:
        return {
            "apiVersion": review["apiVersion"],
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": True, **response},
        }

    return answer


def denying(message: str, **status: Any) -> Answer:
    return answering(allowed=False, status={"message": message, **status})


def patching(*operations: Document) -> Answer:
    patch = base64.b64encode(msgspec.json.encode(operations)).decode()
    return answering(patch=patch, patchType="JSONPatch")


class WebhookServer:
    """`async with WebhookServer({"/deny": denying("no")}) as hook:`; `hook.client_config("/deny")` leads to it.

    names: what the certificate is valid for beside the address it serves at.
    """

    def __init__(self, answers: Mapping[str, Answer], *, names: Sequence[str] = (), host: str = "127.0.0.1") -> None:
        self.answers = dict(answers)
        self.host = host
        self.seen: list[tuple[str, Document]] = []
        self.queries: list[str] = []
        self.port = 0
        self.connections = 0
        now = datetime.now(UTC)
        authority = create_authority("webhooks", now)
        self._pair = issue(authority, Subject("webhook"), now, names=names, addresses=(host,), server=True)
        self.ca_bundle = base64.b64encode(authority.certificate).decode()
        self._runner: web.ServerRunner | None = None
        self._peers: set[Any] = set()

    def client_config(self, path: str) -> Document:
        return {"url": f"https://{self.host}:{self.port}{path}", "caBundle": self.ca_bundle}

    def requests(self, path: str) -> list[Document]:
        """What AdmissionReviews asked at a path."""
        return [review["request"] for at, review in self.seen if at == path]

    async def __aenter__(self) -> WebhookServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._pair.certificate + self._pair.key)
            file.flush()
            context.load_cert_chain(file.name)
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._peers.add(request.transport)
        self.connections = len(self._peers)
        self.queries.append(request.query_string)
        review = msgspec.json.decode(await request.read())
        self.seen.append((request.path, review))
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404, text="no such webhook")
        found = answer(review)
        if isinstance(found, Awaitable):
            found = await found
        if isinstance(found, web.StreamResponse):
            return found
        body = found if isinstance(found, bytes) else msgspec.json.encode(found)
        return web.Response(body=body, content_type="application/json")
