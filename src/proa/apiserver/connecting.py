"""What a connection asks for, as the object that admission sees: PodExecOptions and its kin, from the query.

Not here: the connections themselves (`handlers.sessions`, `handlers.proxies`).
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from proa.apiserver.metadata import Document
from proa.machinery import status as failures
from proa.machinery.resource import Subresource

_FLAGS = ("stdin", "stdout", "stderr", "tty")
_TRUE = ("true", "1", "t")


def connect_options(subresource: Subresource | None, query: str, path: str = "") -> Document:
    """The options object of a connecting subresource. path: behind a proxy. Raises StatusError 400."""
    kind = subresource.kind if subresource is not None else ""
    options: Document = {"kind": kind, "apiVersion": "v1"}
    if kind.endswith("ProxyOptions"):
        return {**options, "path": path} if path else options
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in _FLAGS:
            options.setdefault(name, value.lower() in _TRUE)
        elif name == "command":
            options.setdefault("command", []).append(value)
        elif name == "container":
            options.setdefault("container", value)
        elif name == "ports":
            options.setdefault("ports", []).extend(_ports(value))
    return options


def _ports(value: str) -> list[int]:
    try:
        return [int(each) for each in value.split(",") if each]
    except ValueError:
        raise failures.bad_request(f"ports: {value!r} is not a list of numbers") from None
