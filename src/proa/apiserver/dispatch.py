"""From a request to its handler, and from any failure to its Status: the one edge between HTTP and everything else.

Here: the order (parse, who, may they, which handler), errors and counting. Not here: what handlers do.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proa.apiserver.access import Access
from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.reply import Reply
from proa.apiserver.representation import status_answer
from proa.apiserver.requestinfo import parse
from proa.apiserver.server import Request, Response
from proa.machinery import status as failures
from proa.machinery.resource import Resource

log = logging.getLogger(__name__)

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Served:
    """One resource's handlers, by (subresource, verb)."""

    resource: Resource[Any]
    handlers: Mapping[tuple[str, str], Handle]
    subresources: frozenset[str] = field(default_factory=frozenset)


class Dispatcher:
    """The handler of every request."""

    def __init__(self, access: Access, metrics: RequestMetrics) -> None:
        self._access = access
        self._metrics = metrics
        self._resources: dict[tuple[str, str, str], Served] = {}
        self._paths: dict[str, Handle] = {}
        self._prefixes: list[tuple[str, Handle]] = []
        self.remote: Mapping[tuple[str, str], Handle] = {}
        """Who answers for group versions of other servers; these come before our own."""

    def serve_resource(self, served: Served) -> None:
        resource = served.resource
        self._resources[resource.group, resource.version, resource.plural] = served

    def withdraw_resource(self, resource: Resource[Any]) -> None:
        self._resources.pop((resource.group, resource.version, resource.plural), None)

    def serve_path(self, path: str, handle: Handle) -> None:
        """A non-resource path; with a slash at its end, everything below it too."""
        if path.endswith("/") and path != "/":
            self._prefixes.append((path, handle))
        else:
            self._paths[path] = handle

    @property
    def paths(self) -> list[str]:
        """What `/` lists."""
        return sorted({*self._paths, *(prefix.rstrip("/") for prefix, _ in self._prefixes)})

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        metrics = self._metrics
        metrics.in_flight += 1
        code = 0
        request.info = parse(request.method, request.raw_path, request.query_string)
        try:
            response = await self._answer(request)
            code = response.status
            return response
        finally:
            metrics.in_flight -= 1
            metrics.observe(request.info, code, time.perf_counter() - started)

    async def local(self, request: Request) -> Response:
        """Answer a caller within the process, whose `user` is set. Raises StatusError."""
        request.info = info = parse(request.method, request.raw_path, request.query_string)
        await self._access.authorize(request.user, info, request)
        return await self._handler(request)(request)

    async def _answer(self, request: Request) -> Response:
        try:
            await self._access.enter(request)
            return await self._handler(request)(request)
        except failures.StatusError as error:
            return failed(request, error)
        except ConnectionError:
            raise
        except Exception as error:
            return broken(request, error)

    def _handler(self, request: Request) -> Handle:
        info = request.info
        if self.remote:
            remote = self.remote.get((info.group, info.version) if info.is_resource else _group_version(info.path))
            if remote is not None:
                return remote
        if not info.is_resource:
            handle = self._paths.get(info.path)
            if handle is None:
                path = info.path.rstrip("/")
                handle = self._paths.get(path) if path else None
            if handle is None:
                handle = next((each for prefix, each in self._prefixes if info.path.startswith(prefix)), None)
            if handle is None:
                raise failures.no_such_page()
            return handle
        served = self._resources.get((info.group, info.version, info.resource))
        if served is None:
            raise failures.no_such_page()
        handle = served.handlers.get((info.subresource, info.verb))
        if handle is not None:
            return handle
        if info.subresource and info.subresource not in served.subresources:
            raise failures.no_such_page()
        raise failures.method_not_allowed()


def _group_version(path: str) -> tuple[str, str]:
    """Whose list of resources a path is; ('', '') when it is none."""
    match path.rstrip("/").split("/"):
        case ["", "apis", group, version]:
            return group, version
        case ["", "api", version]:
            return "", version
    return "", ""


def failed(request: Request, error: failures.StatusError) -> Reply:
    """The response to a failure somebody named."""
    reply = status_answer(request, error.status)
    if error.code == 401:
        reply.headers = (*reply.headers, ("WWW-Authenticate", "Bearer"))
    return reply


def broken(request: Request, error: Exception) -> Reply:
    """The response to a bug: its traceback goes to the log under an id, the id to the client."""
    mark = uuid.uuid4().hex[:12]
    log.error("%s %s failed (%s)", request.method, request.raw_path, mark, exc_info=error)
    failure = failures.internal_error(f"{type(error).__name__} (see the server's log for {mark})")
    return status_answer(request, failure.status)
