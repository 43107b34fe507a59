"""What a request asks for: its path and query as verb, group, version, resource, subresource, namespace and name.

The rules are those of Kubernetes' URL layout (`/api/v1/...`, `/apis/<group>/<version>/...`); authorization, auditing
and dispatch all see this one reading. Written by hand and allocation-light, because every request passes. Not here:
whether such a resource exists.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "OPTIONS": "options",
}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
# These subresources have a path of their own below them, which belongs to the backend.
_WITH_REST = ("proxy",)
_NAME_FIELD = "metadata.name="


class RequestInfo(NamedTuple):
    """One request's target. For a non-resource request only `verb` (the lower-case HTTP method) and `path` count.

    `rest` is the still percent-encoded path below a proxy subresource, with its leading slash, '' without.
    """

    is_resource: bool
    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: str = ""


def parse(method: str, raw_path: str, query: str = "") -> RequestInfo:
    """Read a request line. `raw_path` is the path without the query, as sent; `query` the raw query string."""
    path = unquote(raw_path) if "%" in raw_path else raw_path
    parts = path.strip("/").split("/")
    count = len(parts)
    first = parts[0]
    if first == "api" and count >= 3:
        group, version, at = "", parts[1], 2
    elif first == "apis" and count >= 4:
        group, version, at = parts[1], parts[2], 3
    else:
        return RequestInfo(False, method.lower(), path)

    verb = _VERBS.get(method, "")
    if parts[at] == "watch" and count > at + 1:
        verb = "watch"  # the watch prefix, deprecated in favour of ?watch=true, still served upstream
        at += 1

    namespace = name = subresource = rest = ""
    resource = parts[at]
    if resource == "namespaces" and count > at + 1:
        namespace = parts[at + 1]
        if count > at + 2 and parts[at + 2] not in _NAMESPACE_SUBRESOURCES:
            at += 2
            resource = parts[at]
            if resource == "namespaces":  # none is in another: who may see this one may not see those
                return RequestInfo(False, method.lower(), path)
    if count > at + 1:
        name = parts[at + 1]
        if count > at + 2:
            subresource = parts[at + 2]
            if count > at + 3:
                rest = _below(raw_path, at + 3) if subresource in _WITH_REST else "/" + "/".join(parts[at + 3 :])
            elif subresource in _WITH_REST and path.endswith("/"):
                rest = "/"

    if not name:
        if verb == "get":
            verb = "watch" if query and _flag(query, "watch") else "list"
            if query and _NAME_FIELD in (decoded := unquote(query)):
                name = _selected_name(decoded)
        elif verb == "delete":
            verb = "deletecollection"
    return RequestInfo(True, verb, path, group, version, resource, subresource, namespace, name, rest)


def _below(raw_path: str, parts: int) -> str:
    """What follows the first `parts` segments of the path, still encoded."""
    at = 0
    for _ in range(parts):
        at = raw_path.index("/", at + 1)
    return raw_path[at:]


def _flag(query: str, name: str) -> bool:
    """Whether a boolean query parameter is given and not false."""
    at = query.find(name)
    while at >= 0:
        if at == 0 or query[at - 1] == "&":
            end = query.find("&", at)
            value = query[at + len(name) : end if end >= 0 else None]
            if not value or value[0] == "=":
                return value[1:].lower() not in ("false", "0")
        at = query.find(name, at + 1)
    return False


def _selected_name(query: str) -> str:
    """The name a field selector pins (`fieldSelector=metadata.name=x`), so that rules with resourceNames apply."""
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == "fieldSelector":
            for term in value.split(","):
                field, _, wanted = term.partition("=")
                if field == "metadata.name":
                    return wanted.removeprefix("=")
    return ""
