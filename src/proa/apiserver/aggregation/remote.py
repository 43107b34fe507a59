"""Requests for the group versions of extension servers, on their way there.

Not here: how a request is passed on (`proxying`), whether a server is available (`availability` says so in the API).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from proa.api.apiregistration_v1 import APIService
from proa.apiserver.aggregation.extension import Extension, Extensions
from proa.apiserver.aggregation.priorities import GroupVersion
from proa.apiserver.proxying.links import Links
from proa.apiserver.reply import JSON, Reply, text_reply
from proa.apiserver.request import Request, Response
from proa.apiserver.routes import Handle
from proa.machinery import status as failures
from proa.machinery.status import StatusError

_UNAVAILABLE = "service unavailable"
_LOCAL_SECONDS = 30.0


class RemoteRoutes:
    """The handlers of remote group versions, kept in step with the APIServices by `changed`."""

    def __init__(self, extensions: Extensions) -> None:
        self._extensions = extensions
        self._handlers: dict[GroupVersion, Handle] = {}
        self._known: dict[GroupVersion, Extension] = {}

    @property
    def handlers(self) -> Mapping[GroupVersion, Handle]:
        """By group and version; a live view."""
        return MappingProxyType(self._handlers)

    def extensions(self) -> Mapping[GroupVersion, Extension]:
        """What is remote now; a live view."""
        return MappingProxyType(self._known)

    def changed(self, old: APIService | None, new: APIService | None) -> bool:
        """An APIService is another. Returns whether that changes where requests go."""
        extension = Extension.of(new) if new is not None else None
        if extension is not None:
            key = extension.group, extension.version
            self._known[key] = extension
            self._handlers[key] = _Handler(self._extensions, extension)
            return True
        gone: Any = new or old
        key = gone.spec.group, gone.spec.version
        self._known.pop(key, None)
        return self._handlers.pop(key, None) is not None


class _Handler:
    def __init__(self, extensions: Extensions, extension: Extension) -> None:
        self._extensions = extensions
        self._extension = extension

    async def __call__(self, request: Request) -> Response:
        if not self._extension.available:
            if request.local:
                raise failures.service_unavailable(_UNAVAILABLE)
            return _unavailable(_UNAVAILABLE)
        if request.local:
            return await self._answer(request)
        try:
            backend = await self._extensions.backend(self._extension, request.user)
        except StatusError:
            return _unavailable(_UNAVAILABLE)
        links = Links("", frozenset({backend.authority, backend.address}))
        try:
            return await self._extensions.proxy.pass_on(request, backend, request.raw_path, links)
        except StatusError as error:
            return _unavailable(error.message)

    async def _answer(self, request: Request) -> Response:
        """For a caller within the process, who waits for the whole answer. Raises StatusError."""
        path = f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path
        body = await request.body()
        headers = {"Accept": JSON, **({"Content-Type": request.headers.get("Content-Type", JSON)} if body else {})}
        try:
            answer = await self._extensions.exchange(
                self._extension, request.user, request.method, path, body, headers, _LOCAL_SECONDS
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            text = f"error trying to reach service: {str(error) or type(error).__name__}"
            raise failures.service_unavailable(text) from None
        if answer.status >= 400:
            raise StatusError(failures.decode_status(answer.body, answer.status))
        return Reply(answer.status, answer.body, answer.content_type)


def _unavailable(text: str) -> Reply:
    """Plain text: what the client would accept from the extension server is not known here."""
    reply = text_reply(f"{text}\n", 503)
    reply.headers = (("X-Content-Type-Options", "nosniff"),)
    return reply
