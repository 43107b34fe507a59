"""Authentication, impersonation and authorization of requests, remembered so that a busy client costs lookups only.

Here: the caches and the order. Not here: any real authenticator or authorizer (`authn`, `authz`), and what acting as
somebody else takes (`impersonation`).
"""

from __future__ import annotations

import logging
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from proa.apiserver.identity import (
    ANONYMOUS,
    REMEMBERED,
    AccessAttributes,
    AnyAuthenticator,
    Authenticator,
    Authorizer,
    Credentials,
    Decision,
    FirstOpinion,
    Remarks,
    User,
    Verdict,
    Witness,
)
from proa.apiserver.impersonation import forbidden, impersonate, is_attempted, wanted_user
from proa.apiserver.reply import warning_headers
from proa.apiserver.request import Request
from proa.apiserver.requestinfo import RequestInfo
from proa.base.metrics import Samples
from proa.machinery import status as failures

log = logging.getLogger(__name__)

_MOST = 10_000
_WEBSOCKET_BEARER = "base64url.bearer.authorization.k8s.io."
_Proof = str | bytes | tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Who may come without credentials. paths: the only ones then, () for every path."""

    enabled: bool = True
    paths: tuple[str, ...] = ()

    def may(self, path: str) -> bool:
        return self.enabled and (not self.paths or path in self.paths)


class Witnesses(Protocol):
    """The audit log: one witness for each request it wants to know about."""

    def begin(self, request: Request, user: User, annotations: Mapping[str, str]) -> Witness | None: ...
    def unauthenticated(self, request: Request) -> None: ...


class HeaderAuthenticator(Protocol):
    """Knows users by what a trusted proxy says in headers, which differs from request to request."""

    def user(self, certificate: bytes | None, headers: Mapping[str, str]) -> User | None: ...


class _Known:
    """A remembered identity, and what it was last allowed and why, while the authorizer's generation stands."""

    __slots__ = ("allowed", "generation", "remarks", "until", "user")

    def __init__(self, user: User, remarks: Remarks, until: float) -> None:
        self.user = user
        self.remarks = remarks
        self.until = until
        self.generation = -1
        self.allowed: dict[tuple[str, ...], Decision] = {}


class Access:
    """Who may. `enter` for a request from the wire, `authorize` for callers within the process.

    audiences: for whom a token must be that counts here (what authenticators that know of no audiences speak for).
    """

    def __init__(self, *, anonymous: bool = True) -> None:
        self._authenticator: Authenticator = AnyAuthenticator(())
        self._authorizer: Authorizer = FirstOpinion(())
        self._anonymous = Anonymous(anonymous)
        self._front_proxy: HeaderAuthenticator | None = None
        self._known: dict[_Proof, _Known] = {}
        self._vouched: dict[User, _Known] = {}
        self._authenticated = 0
        self._entered = self._rejected = self._allowed = 0
        self._refused: dict[str, int] = {"denied": 0, "no-opinion": 0}
        self.witnesses: Witnesses | None = None
        self.audiences: tuple[str, ...] = ()

    def install(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        *,
        front_proxy: HeaderAuthenticator | None = None,
        anonymous: Anonymous | None = None,
        audiences: tuple[str, ...] = (),
    ) -> None:
        """Ask these from now on, and forget what others said."""
        self._authenticator, self._authorizer = authenticator, authorizer
        self._front_proxy = front_proxy
        self._anonymous = anonymous or self._anonymous
        self.audiences = audiences
        self._known.clear()
        self._vouched.clear()

    async def decide(self, attributes: AccessAttributes) -> Decision:
        """What the authorizer of the time says."""
        return await self._authorizer.decide(attributes)

    @property
    def authenticator(self) -> Authenticator:
        return self._authenticator

    @property
    def authorizer(self) -> Authorizer:
        return self._authorizer

    async def enter(self, request: Request) -> None:
        """Set `request.user` (and `request.witness`). Raises StatusError 401, 403, 400."""
        known = self._recalled(request)
        if known is None or known.user is ANONYMOUS:
            known = await self._identify(request, known)
        self._entered += 1
        if self.witnesses is not None:
            request.witness = self.witnesses.begin(request, known.user, known.remarks.annotations)
        request.user = known.user
        if known.remarks.warnings:
            lines = [f"{name}: {value}\r\n" for name, value in warning_headers(known.remarks.warnings)]
            request.marks += "".join(lines).encode()
        info = request.info
        if is_attempted(request.headers):
            await self._impersonate(request)
            await self.authorize(request.user, info, request)
            self._allowed += 1
            return
        generation = self._authorizer.generation
        if known.generation != generation or len(known.allowed) > _MOST:
            known.allowed = {}
            known.generation = generation
        key = _key(info)
        decision = known.allowed.get(key)
        if decision is None:
            decision = await self.authorize(known.user, info, request)
            # With selectors in the query, a decision may depend on them.
            selects = info.verb in ("list", "watch", "deletecollection") and request.query_string
            if decision.lasting and not selects:
                known.allowed[key] = decision
        elif request.witness is not None:
            request.witness.authorized(decision)
        self._allowed += 1

    def _recalled(self, request: Request) -> _Known | None:
        """Who somebody is whose proof was seen a moment ago, or of whom a front proxy speaks; never waits."""
        certificate = request.connection.certificate()
        if self._front_proxy is not None and certificate is not None:
            user = self._front_proxy.user(certificate, request.headers)
            if user is not None:
                return self._seen_as(user)
        header = request.headers.get("Authorization")
        known = self._known.get(_proof(header, certificate))
        if known is None or known.until < time.monotonic() or (header is None and request.upgrade):
            return None
        return known

    async def _identify(self, request: Request, known: _Known | None) -> _Known:
        """Who it is, asked anew. Raises StatusError 401, and the audit log has it."""
        try:
            known = known or await self._identified(request)
            if known.user is ANONYMOUS and not self._anonymous.may(request.info.path):
                raise failures.unauthorized()
        except failures.StatusError:
            self._rejected += 1
            if self.witnesses is not None:
                self.witnesses.unauthenticated(request)
            raise
        return known

    def _seen_as(self, user: User) -> _Known:
        """What is remembered of a user whom others vouch for; the same object for the same user."""
        known = self._vouched.get(user)
        if known is None:
            if len(self._vouched) > _MOST:
                self._vouched.clear()
            known = self._vouched[user] = _Known(user, Remarks(), 0.0)
        return known

    async def authorize(
        self, user: User, info: RequestInfo, request: Request | None = None, *, fields: str = "", labels: str = ""
    ) -> Decision:
        """The decision that allows it. fields, labels: selectors, where no request has them. Raises StatusError 403."""
        attributes = _attributes(user, info, request, fields, labels)
        decision = self._authorizer.authorize(attributes)
        if decision.verdict is Verdict.UNKNOWN:
            decision = await self._authorizer.decide(attributes)
        if request is not None and request.witness is not None:
            request.witness.authorized(decision)
        if not decision.allowed:
            self._refused["denied" if decision.verdict is Verdict.DENY else "no-opinion"] += 1
            raise forbidden(attributes, decision.reason)
        return decision

    async def _check(self, attributes: AccessAttributes) -> None:
        decision = await self._authorizer.decide(attributes)
        if not decision.allowed:
            raise forbidden(attributes, decision.reason)

    async def _impersonate(self, request: Request) -> None:
        wanted = wanted_user(request.headers)
        if wanted is None:
            return
        attributes = _attributes(request.user, request.info, request)
        acting = await impersonate(wanted, attributes, self._check)
        request.user = self._seen_as(acting.user).user
        if request.witness is not None:
            request.witness.impersonated(acting.user, acting.constraint)

    async def _identified(self, request: Request) -> _Known:
        header = request.headers.get("Authorization")
        if header is None and request.upgrade:
            header = _websocket_bearer(request.headers)
        certificate = request.connection.certificate()
        token = ""
        if header is not None:
            scheme, _, rest = header.strip().partition(" ")
            token = rest.strip() if scheme.lower() == "bearer" else ""
        peer = request.connection.peername
        address = peer[0] if isinstance(peer, tuple) else ""
        self._authenticated += 1
        credentials = Credentials(token, certificate, request.headers, address)
        try:
            user = await self._authenticator.authenticate(credentials)
        except failures.StatusError as error:
            if not failures.is_unauthorized(error):
                raise
            log.debug("unable to authenticate a request from %s: %s", address, error)
            raise failures.unauthorized() from error  # why is not the caller's to know
        if user is None:
            if token or (header is not None and not certificate):
                raise failures.unauthorized()
            user = ANONYMOUS
        if len(self._known) > _MOST:
            self._known.clear()
        known = _Known(user, credentials.remarks, time.monotonic() + REMEMBERED)
        self._known[_proof(header, certificate)] = known
        return known

    def samples(self) -> Iterator[Samples]:
        """Who came and what they might, under upstream's names."""
        attempts = {"success": self._entered, "failure": self._rejected}
        yield Samples(
            "authentication_attempts",
            "Requests by whether who asks is known.",
            "gauge",
            ("result",),
            (((result,), count) for result, count in attempts.items()),
        )
        decisions = {"allowed": self._allowed, **self._refused}
        yield Samples(
            "authorization_attempts_total",
            "Requests by whether who asks may.",
            "counter",
            ("result",),
            (((result,), count) for result, count in decisions.items()),
        )

    def statistics(self) -> dict[str, int]:
        return {"identities": len(self._known), "authentications": self._authenticated}


def _attributes(
    user: User, info: RequestInfo, request: Request | None, fields: str = "", labels: str = ""
) -> AccessAttributes:
    query: Mapping[str, str] = request.query if request is not None and request.query_string else {}
    return AccessAttributes(
        user,
        info.verb,
        info.group,
        info.version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
        info.path,
        info.is_resource,
        query.get("fieldSelector", fields),
        query.get("labelSelector", labels),
    )


def _proof(header: str | None, certificate: bytes | None) -> _Proof:
    """By what an identity is remembered: what one proves by both, another may not have by one of them."""
    if header is None:
        return certificate or b""
    return header if certificate is None else (header, certificate)


def _websocket_bearer(headers: Any) -> str | None:
    """The Authorization header of a browser, which can send none with a WebSocket: its token is among the protocols.
    Raises StatusError 401."""
    protocols = [each.strip() for line in headers.getall("Sec-WebSocket-Protocol", ()) for each in line.split(",")]
    tokens = [each.removeprefix(_WEBSOCKET_BEARER) for each in protocols if each.startswith(_WEBSOCKET_BEARER)]
    if not tokens:
        return None
    if len(tokens) > 1 or len(protocols) == 1:  # one protocol must be left to answer with
        raise failures.unauthorized()
    try:
        token = urlsafe_b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4)).decode()
    except ValueError:
        raise failures.unauthorized() from None
    return f"Bearer {token}"


def _key(info: RequestInfo) -> tuple[str, ...]:
    if not info.is_resource:
        return (info.verb, info.path)
    return (info.verb, *info[3:9])
