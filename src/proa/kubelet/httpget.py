"""A light HTTP/1.1 GET for probes and hooks: one connection, no redirects to other hosts, no certificate checks.

A probe asks whether something answers, thousands of times an hour; a full HTTP client costs ten times as much.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from proa.api.core_v1 import HTTPGetAction
from proa.base.errors import ProaError
from proa.kubelet.services import AnyContainer

# As much of an answer as is looked at (bytes), and how many redirects to the same host are followed.
BODY_LIMIT = 10 << 10
_REDIRECTS = 10
_USER_AGENT = "kube-probe/1.36"


class HttpGetError(ProaError):
    """There was no answer, or none that is HTTP."""


@dataclass(frozen=True, slots=True)
class HttpTarget:
    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()


def resolve_port(port: int | str, container: AnyContainer | None) -> int:
    """A number, or the container's port of that name. Raises HttpGetError."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for each in container.ports if container is not None else ():
        if each.name == port:
            return each.containerPort
    raise HttpGetError(f"couldn't find port: {port}")


def http_target(action: HTTPGetAction, container: AnyContainer | None, ip: str) -> HttpTarget:
    return HttpTarget(
        scheme=(action.scheme or "HTTP").lower(),
        host=action.host or ip,
        port=resolve_port(action.port, container),
        path=action.path or "/",
        headers=tuple((each.name, each.value) for each in action.httpHeaders),
    )


async def http_get(target: HttpTarget) -> tuple[int, bytes]:
    """The status code and the beginning of the body. Redirects within the host are followed."""
    for _ in range(_REDIRECTS):
        status, headers, body = await _once(target)
        location = headers.get("location", "")
        if not (300 <= status < 400 and location):
            return status, body
        parts = urlsplit(location)
        if parts.hostname not in (None, target.host):
            return status, body
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        scheme = parts.scheme or target.scheme
        port = parts.port or (target.port if parts.hostname is None else {"http": 80, "https": 443}.get(scheme, 80))
        target = HttpTarget(scheme, target.host, port, path, target.headers)
    raise HttpGetError(f"stopped after {_REDIRECTS} redirects")


async def _once(target: HttpTarget) -> tuple[int, dict[str, str], bytes]:
    tls = _no_checks() if target.scheme == "https" else None
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=tls)
    try:
        writer.write(_request(target))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise HttpGetError(f"malformed HTTP response from {target.host}:{target.port}") from error
        status, headers = _parse(head)
        length = headers.get("content-length", "")
        wanted = min(int(length), BODY_LIMIT) if length.isdigit() else BODY_LIMIT
        body = b""
        while len(body) < wanted:
            chunk = await reader.read(wanted - len(body))
            if not chunk:
                break
            body += chunk
            if "chunked" in headers.get("transfer-encoding", ""):
                break  # only ever shown to people
        return status, headers, body
    finally:
        writer.transport.abort()


def _request(target: HttpTarget) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    given = {name.lower() for name, _ in target.headers}
    lines = [f"GET {target.path if target.path.startswith('/') else '/' + target.path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {host}:{target.port}")
    if "user-agent" not in given:
        lines.append(f"User-Agent: {_USER_AGENT}")
    if "accept" not in given:
        lines.append("Accept: */*")
    lines += [f"{name}: {value}" for name, value in target.headers if value]
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise HttpGetError(f'malformed HTTP response "{first[:80]}"')
    headers = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(parts[1]), headers


@cache
def _no_checks() -> ssl.SSLContext:
    """A pod's own certificate is nobody's business but its clients': a probe accepts any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
