"""Authentication, impersonation and authorization of requests, remembered so that a busy client costs lookups only.

Here: the caches and the order. Not here: any real authenticator or authorizer (`authn`, `authz`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import unquote

from proa.apiserver.identity import (
    ANONYMOUS,
    ANONYMOUS_NAME,
    AUTHENTICATED,
    REMEMBERED,
    UNAUTHENTICATED,
    AccessAttributes,
    AnyAuthenticator,
    Authenticator,
    Authorizer,
    Credentials,
    FirstOpinion,
    User,
)
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.server import Request
from proa.machinery import status as failures

_MOST = 10_000
_EXTRA = "impersonate-extra-"
_IMPERSONATE = "impersonate-"


class _Known:
    """A remembered identity, and what it was last allowed, while the authorizer's generation stands."""

    __slots__ = ("allowed", "generation", "until", "user")

    def __init__(self, user: User, until: float) -> None:
        self.user = user
        self.until = until
        self.generation = -1
        self.allowed: set[tuple[str, ...]] = set()


class Access:
    """Who may. `enter` for a request from the wire, `authorize` for callers within the process."""

    def __init__(self, *, anonymous: bool = True) -> None:
        self._authenticator: Authenticator = AnyAuthenticator(())
        self._authorizer: Authorizer = FirstOpinion(())
        self._anonymous = anonymous
        self._known: dict[str | bytes, _Known] = {}
        self._authenticated = 0

    def install(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        """Ask these from now on, and forget what others said."""
        self._authenticator, self._authorizer = authenticator, authorizer
        self._known.clear()

    @property
    def authenticator(self) -> Authenticator:
        return self._authenticator

    @property
    def authorizer(self) -> Authorizer:
        return self._authorizer

    async def enter(self, request: Request) -> None:
        """Set `request.user`. Raises StatusError 401 or 403."""
        known = await self._identify(request)
        request.user = known.user
        info = request.info
        if any(name[0] in "Ii" and name.lower().startswith(_IMPERSONATE) for name in request.headers):
            request.user = self._impersonate(known.user, request.headers)
            self.authorize(request.user, info, request)
            return
        generation = self._authorizer.generation
        if known.generation != generation or len(known.allowed) > _MOST:
            known.allowed = set()
            known.generation = generation
        key = _key(info)
        if key not in known.allowed:
            self.authorize(known.user, info, request)
            if info.verb not in ("list", "watch", "deletecollection") or not request.query_string:
                known.allowed.add(key)  # with selectors in the query, a decision may depend on them

    def authorize(self, user: User, info: RequestInfo, request: Request | None = None) -> None:
        """Raises StatusError 403 when `user` may not."""
        query: Mapping[str, str] = request.query if request is not None and request.query_string else {}
        decision = self._authorizer.authorize(
            AccessAttributes(
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
                query.get("fieldSelector", ""),
                query.get("labelSelector", ""),
            )
        )
        if decision.allowed:
            return
        if not info.is_resource:
            raise failures.denied(user.name, info.verb, path=info.path, reason=decision.reason)
        raise failures.denied(
            user.name,
            info.verb,
            failures.GroupPlural(info.group, info.resource),
            subresource=info.subresource,
            name=info.name,
            namespace=info.namespace,
            reason=decision.reason,
        )

    async def _identify(self, request: Request) -> _Known:
        header = request.headers.get("Authorization")
        certificate = request.connection.certificate()
        key: str | bytes = header if header is not None else certificate or b""
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and known.until >= now:
            return known
        token = ""
        if header is not None:
            scheme, _, rest = header.strip().partition(" ")
            token = rest.strip() if scheme.lower() == "bearer" else ""
        peer = request.connection.peername
        address = peer[0] if isinstance(peer, tuple) else ""
        self._authenticated += 1
        user = await self._authenticator.authenticate(Credentials(token, certificate, request.headers, address))
        if user is None:
            if token or (header is not None and not certificate) or not self._anonymous:
                raise failures.unauthorized()
            user = ANONYMOUS
        if len(self._known) > _MOST:
            self._known.clear()
        self._known[key] = known = _Known(user, now + REMEMBERED)
        return known

    def _impersonate(self, user: User, headers: Mapping[str, str]) -> User:
        """The user a request acts as; each part of it must be allowed (verb impersonate)."""
        name = headers.get("Impersonate-User", "")
        if not name:
            raise failures.bad_request(
                "requested impersonation of groups, uid or extra fields without impersonating a user (Impersonate-User)"
            )
        get_all = getattr(headers, "getall", None)
        groups = tuple(get_all("Impersonate-Group", ())) if get_all is not None else ()
        extra: dict[str, tuple[str, ...]] = {}
        for field, value in headers.items():
            if field.lower().startswith(_EXTRA):
                key = unquote(field[len(_EXTRA) :].lower())
                extra[key] = (*extra.get(key, ()), value)
        uid = headers.get("Impersonate-Uid", "")

        if name.startswith("system:serviceaccount:") and name.count(":") == 3:
            _, _, namespace, account = name.split(":")
            self._may_impersonate(user, "serviceaccounts", account, namespace)
            if not groups:
                groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        else:
            self._may_impersonate(user, "users", name)
        for group in headers.getall("Impersonate-Group", ()) if get_all is not None else ():  # type: ignore[attr-defined]
            self._may_impersonate(user, "groups", group)
        if uid:
            self._may_impersonate(user, "uids", uid, group="authentication.k8s.io")
        for key, values in extra.items():
            for value in values:
                self._may_impersonate(user, "userextras", value, group="authentication.k8s.io", subresource=key)
        if name != ANONYMOUS_NAME and UNAUTHENTICATED not in groups and AUTHENTICATED not in groups:
            groups = (*groups, AUTHENTICATED)
        return User(name, uid, groups, extra)

    def _may_impersonate(
        self, user: User, resource: str, name: str, namespace: str = "", *, group: str = "", subresource: str = ""
    ) -> None:
        info = RequestInfo(True, "impersonate", "", group, "v1", resource, subresource, namespace, name)
        self.authorize(user, info)

    def statistics(self) -> dict[str, int]:
        return {"identities": len(self._known), "authentications": self._authenticated}


def _key(info: RequestInfo) -> tuple[str, ...]:
    if not info.is_resource:
        return (info.verb, info.path)
    return (info.verb, *info[3:9])
