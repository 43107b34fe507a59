"""Which handler answers which request: resources by group, version and name, other paths as they are.

Not here: who may ask (`access`), and what happens around a handler (`dispatch`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery import status as failures
from proa.machinery.resource import Resource

Handle = Callable[[Request], Awaitable[Response]]


def alone(handle: Handle) -> Handle:
    """Nothing is around it."""
    return handle


class Served(msgspec.Struct, frozen=True):
    """One resource's handlers, by (subresource, verb)."""

    resource: Resource[Any]
    handlers: Mapping[tuple[str, str], Handle]
    subresources: frozenset[str] = msgspec.field(default_factory=frozenset)


class Routes:
    """`changed` is called whenever a request may go to another handler."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, str, str], Served] = {}
        self._paths: dict[str, Handle] = {}
        self._prefixes: list[tuple[str, Handle]] = []
        self._remote: Mapping[tuple[str, str], Handle] = {}
        self.changed: Callable[[], None] = lambda: None
        self._around: Callable[[Handle], Handle] = alone

    def put_around(self, around: Callable[[Handle], Handle]) -> None:
        """Answer requests by what this makes of their handlers."""
        self._around = around
        self.changed()

    def serve_resource(self, served: Served) -> None:
        resource = served.resource
        self._resources[resource.group, resource.version, resource.plural] = served
        self.changed()

    def withdraw_resource(self, resource: Resource[Any]) -> None:
        self._resources.pop((resource.group, resource.version, resource.plural), None)
        self.changed()

    def serve_path(self, path: str, handle: Handle) -> None:
        """A non-resource path; with a slash at its end, everything below it too."""
        if path.endswith("/") and path != "/":
            self._prefixes.append((path, handle))
        else:
            self._paths[path] = handle

    def serve_remote(self, handlers: Mapping[tuple[str, str], Handle]) -> None:
        """Who answers for group versions of other servers; these come before our own."""
        self._remote = dict(handlers)
        self.changed()

    @property
    def paths(self) -> list[str]:
        """What `/` lists."""
        own = {*self._paths, *(prefix.rstrip("/") for prefix, _ in self._prefixes)}
        for group, version, _ in self._resources:
            own |= {f"/apis/{group}", f"/apis/{group}/{version}"} if group else {f"/api/{version}"}
        return sorted(own)

    def find(self, info: RequestInfo) -> Handle:
        """The handler. Raises StatusError 404 or 405."""
        return self._around(self._find(info))

    def _find(self, info: RequestInfo) -> Handle:
        if self._remote:
            key = (info.group, info.version) if info.is_resource else _group_version(info.path)
            remote = self._remote.get(key)
            if remote is not None:
                return remote
        if not info.is_resource:
            return self._find_path(info.path)
        served = self._resources.get((info.group, info.version, info.resource))
        if served is None:
            raise failures.no_such_page() if self._is_own(info.group) else failures.NoSuchPathError
        _check_scope(served.resource, info)
        handle = served.handlers.get((info.subresource, info.verb))
        if handle is not None:
            return handle
        if info.subresource and info.subresource not in served.subresources:
            resource = served.resource
            raise failures.not_found(resource, info.name) if resource.custom else failures.no_such_page()
        raise failures.method_not_allowed()

    def _is_own(self, group: str) -> bool:
        """Whether a group is not only of custom resources."""
        return any(own == group and not served.resource.custom for (own, _, _), served in self._resources.items())

    def _find_path(self, path: str) -> Handle:
        handle = self._paths.get(path)
        if handle is None:
            handle = self._paths.get(path.rstrip("/")) if path.strip("/") else None
        if handle is None:
            handle = next((each for prefix, each in self._prefixes if path.startswith(prefix)), None)
        if handle is None:
            raise failures.NoSuchPathError
        return handle


def _check_scope(resource: Resource[Any], info: RequestInfo) -> None:
    """Who may do something in a namespace may not do it to what is in none: there is no such path.

    And what is in namespaces can be read from all of them at once, but not be changed. Raises StatusError 404 or 405.
    """
    if not resource.namespaced:
        if info.namespace and (resource.group, resource.plural) != ("", "namespaces"):
            raise failures.NoSuchPathError if resource.custom else failures.no_such_page()
    elif not info.namespace and info.verb not in ("list", "watch"):
        if resource.custom:
            raise failures.NoSuchPathError
        listed = "list" in resource.verbs
        raise failures.no_such_page() if info.name or not listed else failures.method_not_allowed()


def _group_version(path: str) -> tuple[str, str]:
    """Whose list of resources a path is; ('', '') when it is none."""
    match path.rstrip("/").split("/"):
        case ["", "apis", group, version]:
            return group, version
        case ["", "api", version]:
            return "", version
    return "", ""
