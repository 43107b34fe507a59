"""Another API server: where it is, and speaking to it as the aggregator does, with users' identities in headers.

Not here: which requests go there (`remote`), what it is asked on our own account (`availability`, `discovery`).
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Mapping
from string import ascii_letters, digits
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from proa.api.apiregistration_v1 import APIService
from proa.apiserver.aggregation.trust import FrontProxy
from proa.apiserver.identity import MASTERS, User
from proa.apiserver.proxying.backend import Backend
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.services import ServiceResolver, Target, bracketed
from proa.client.connection import load_pair
from proa.control.status import find_condition

AGGREGATOR = User("system:kube-aggregator", groups=(MASTERS,))
"""As whom the aggregator asks on its own account."""

_CONTEXTS = 256
# RFC 9110 tokens but for the escape itself; `quote` keeps letters, digits and `_.-~` by itself.
_TOKEN = "!#$&'*+^`|" + ascii_letters + digits


def path_of(group: str, version: str) -> str:
    """Below which a group version is served."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


class Extension(msgspec.Struct, frozen=True):
    """What an APIService says of the server behind it."""

    group: str
    version: str
    namespace: str
    service: str
    port: int
    authority: bytes
    insecure: bool
    available: bool

    @classmethod
    def of(cls, api_service: APIService) -> Extension | None:
        """None for what this server answers itself."""
        spec = api_service.spec
        if spec.service is None:
            return None
        condition = find_condition(api_service.status.conditions, "Available")
        return cls(
            spec.group,
            spec.version,
            spec.service.namespace,
            spec.service.name,
            spec.service.port or 443,
            bytes(spec.caBundle),
            spec.insecureSkipTLSVerify,
            condition is not None and condition.status == "True",
        )

    @property
    def path(self) -> str:
        """Below which it answers, and what it must at least serve."""
        return path_of(self.group, self.version)

    @property
    def place(self) -> tuple[str, str, int]:
        """The Service; several group versions may be in one place."""
        return self.namespace, self.service, self.port


class Answer(msgspec.Struct, frozen=True):
    """What an extension answered to a question of ours."""

    status: int
    body: bytes = b""
    content_type: str = ""
    etag: str = ""


class Extensions(msgspec.Struct):
    """The way to every extension server. front_proxy: None: they get no proof of who we are."""

    resolver: ServiceResolver
    proxy: ReverseProxy
    front_proxy: FrontProxy | None = None
    _contexts: OrderedDict[tuple[bytes, bool], ssl.SSLContext] = msgspec.field(default_factory=OrderedDict)

    async def backend(self, extension: Extension, user: User) -> Backend:
        """An endpoint of it, spoken to in the name of `user`. Raises StatusError."""
        target = await self.resolver.resolve(*extension.place)
        return Backend(
            target.host,
            target.port,
            self._context(extension.authority, extension.insecure),
            server_name=f"{extension.service}.{extension.namespace}.svc",
            authority=_authority(target),
            headers=identity_headers(user),
        )

    async def ask(
        self, extension: Extension, path: str, *, accept: str = "application/json", etag: str = "", seconds: float = 5.0
    ) -> Answer:
        """GET `path` as the aggregator. Raises StatusError, aiohttp.ClientError, OSError, TimeoutError."""
        headers = {"Accept": accept, **({"If-None-Match": etag} if etag else {})}
        return await self.exchange(extension, AGGREGATOR, "GET", path, b"", headers, seconds)

    async def exchange(
        self,
        extension: Extension,
        user: User,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Answer:
        """One request in the name of `user`. Raises StatusError, aiohttp.ClientError, OSError, TimeoutError."""
        backend = await self.backend(extension, user)
        lines = [*headers.items(), ("Host", backend.authority)]
        lines += [(name, value) for name, values in backend.headers.items() for value in values]
        async with self.proxy.session.request(
            method,
            URL(backend.base + path, encoded=True),
            headers=lines,
            data=body or None,
            ssl=backend.ssl,
            server_hostname=backend.server_name,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            return Answer(
                response.status,
                await response.read(),
                response.headers.get("Content-Type", ""),
                response.headers.get("ETag", ""),
            )

    def _context(self, authority: bytes, insecure: bool) -> ssl.SSLContext:
        found = self._contexts.get((authority, insecure))
        if found is None:
            found = ssl.create_default_context(cadata=authority.decode() if authority else None)
            if insecure:
                found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
            if self.front_proxy is not None:
                load_pair(found, self.front_proxy.certificate, self.front_proxy.key)
            self._contexts[authority, insecure] = found
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return found


def identity_headers(user: User) -> Mapping[str, tuple[str, ...]]:
    """Who a request is from, for a server that trusts us to say so. A line break in a name has no place in a header."""
    headers = {"X-Remote-User": (user.name,), "X-Remote-Group": user.groups}
    if user.uid:
        headers["X-Remote-Uid"] = (user.uid,)
    for key, values in user.extra.items():
        headers[f"X-Remote-Extra-{quote(key, safe=_TOKEN)}"] = tuple(values)
    return headers


def _authority(target: Target) -> str:
    return f"{bracketed(target.host)}:{target.port}"
