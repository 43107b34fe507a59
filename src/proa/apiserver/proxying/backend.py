"""Where a request is passed on to, and the header lines that cross a proxy.

Here: values and pure functions. Not here: sockets (`reverse`, `tunnel`).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from ssl import SSLContext

import msgspec
from multidict import CIMultiDict

from proa.apiserver.request import Request

# Headers that belong to one connection (RFC 9110 7.6.1); Expect because only this server can grant it.
_HOP_BY_HOP = frozenset(
    {"connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
     "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
# What this server has read for itself: who the client is, and as whom it acts. No backend may learn or be misled by it.
_CREDENTIALS = frozenset({"authorization", "x-remote-user", "x-remote-uid", "x-remote-group"})
_CREDENTIAL_PREFIXES = ("x-remote-extra-", "impersonate-")
# What this server says of itself in every response.
_OWN = frozenset({"audit-id", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"})
_CORS = frozenset(
    {"access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods",
     "access-control-allow-origin"}
)  # fmt: skip


class Backend(msgspec.Struct, frozen=True):
    """An HTTP server. tls: how to speak to it, None: in the clear. server_name: whom its certificate must name, '' for
    `host`. authority: the Host header, '' to keep the client's. headers: what this server adds.
    """

    host: str
    port: int
    tls: SSLContext | None = None
    server_name: str = ""
    authority: str = ""
    headers: Mapping[str, Iterable[str]] = msgspec.field(default_factory=dict)

    @property
    def base(self) -> str:
        """The URL of its root, without the slash."""
        scheme = "https" if self.tls is not None else "http"
        return f"{scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def ssl(self) -> SSLContext | bool:
        """`tls` as aiohttp's client takes it."""
        return True if self.tls is None else self.tls

    @property
    def address(self) -> str:
        """`host:port` as a URL has it; a scheme's own port is left out."""
        usual = 443 if self.tls is not None else 80
        return bracketed(self.host) if self.port == usual else f"{bracketed(self.host)}:{self.port}"


def unverified() -> SSLContext:
    """TLS that asks the other side for nothing: what upstream uses towards pods, whose certificates nobody knows."""
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def bracketed(address: str) -> str:
    """An IPv6 address as URLs have it; anything else as it is."""
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address


def forwarded(request: Request, backend: Backend) -> CIMultiDict[str]:
    """The header lines of the request as `backend` gets it, without those that say how its body is framed."""
    named = _named(request.headers.getall("Connection", ()))
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers.items():
        lower = name.lower()
        if lower in _HOP_BY_HOP or lower in _CREDENTIALS or lower in named or lower.startswith(_CREDENTIAL_PREFIXES):
            continue
        headers.add(name, value)
    if request.decompressed:
        headers.popall("Content-Encoding", None)
        headers.popall("Content-Length", None)
    headers["Audit-ID"] = request.audit_id
    if backend.authority:
        headers["Host"] = backend.authority
    peer = request.peer
    if peer:
        headers["X-Forwarded-For"] = ", ".join([*headers.popall("X-Forwarded-For", ()), peer])
    for name, values in backend.headers.items():
        headers.popall(name, None)
        for value in values:
            headers.add(name, value)
    return headers


def returned(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The header lines of a backend's answer as the client gets them; framing is the writer's."""
    given = list(headers)
    named = _named(value for name, value in given if name.lower() == "connection")
    return [
        (name, value)
        for name, value in given
        if (lower := name.lower()) not in _HOP_BY_HOP and lower not in _CORS | _OWN and lower not in named
    ]


def _named(connection: Iterable[str]) -> frozenset[str]:
    """The headers a Connection header declares to belong to this connection only."""
    return frozenset(each.strip().lower() for value in connection for each in value.split(","))
