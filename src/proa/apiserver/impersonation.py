"""Impersonation: acting as another user, as far as the one who asks may (the Impersonate-* headers).

Constrained impersonation (KEP-5284) is tried first: there a permission says as whom and for which requests
(`impersonate:<mode>` and `impersonate-on:<mode>:<verb>`), where the old verb `impersonate` says only as whom. Here: the
headers and the checks. Not here: the authorizer itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from proa.apiserver.identity import ANONYMOUS_NAME, AUTHENTICATED, MASTERS, UNAUTHENTICATED, AccessAttributes, User
from proa.machinery import status as failures
from proa.machinery.names import dns1123_subdomain

PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"
_NODE_PREFIX = "system:node:"
_NODES = "system:nodes"
_ACCOUNT_PREFIX = "system:serviceaccount:"
_NODE_NAME = "authentication.kubernetes.io/node-name"
_ASSOCIATED_KEYS = "authentication.kubernetes.io/associated-node-keys"
# From so many groups or extra values on, one check of a permission for all of them comes first.
_MANY = 4

Check = Callable[[AccessAttributes], Awaitable[None]]
"""Raises StatusError 403 when the attributes' user may not."""


@dataclass(frozen=True, slots=True)
class Impersonated:
    """user: as whom the request goes on. constraint: the verb that allowed it, '' for plain impersonation."""

    user: User
    constraint: str = ""


def is_attempted(headers: Mapping[str, str]) -> bool:
    """Whether any header asks for it. Called for every request."""
    for name in headers:  # noqa: SIM110  # any() over a generator costs twice that
        if name[0] in "Ii" and name.lower().startswith(PREFIX):
            return True
    return False


def wanted_user(headers: Any) -> User | None:
    """Whom the headers name, nothing added; None when they ask for nothing. Raises StatusError 400."""
    name, uid = headers.get("Impersonate-User", ""), headers.get("Impersonate-Uid", "")
    groups = tuple(headers.getall("Impersonate-Group", ()))
    extra: dict[str, tuple[str, ...]] = {}
    for field, value in headers.items():
        if field.lower().startswith(_EXTRA):
            key = unquote(field[len(_EXTRA) :].lower())
            extra[key] = (*extra.get(key, ()), value)
    if name:
        return User(name, uid, groups, extra)
    if uid or groups or extra:
        asked = {"uid": uid, "groups": list(groups), "extra": {key: list(values) for key, values in extra.items()}}
        said = {key: value for key, value in asked.items() if value}
        raise failures.bad_request(f"requested {said} without impersonating a user name")
    return None


async def impersonate(wanted: User, attributes: AccessAttributes, check: Check) -> Impersonated:
    """As whom `attributes.user` may make the request it wants to make as `wanted`. Raises StatusError 403."""
    refusal: failures.StatusError | None = None
    for mode, applies in _MODES:
        if not applies(wanted, attributes.user):
            continue
        try:
            return await _constrained(mode, wanted, attributes, check)
        except failures.StatusError as error:
            refusal = refusal or error
    try:
        return Impersonated(await _permitted("impersonate", wanted, attributes.user, check))
    except failures.StatusError as error:
        raise refusal or error from None


async def _constrained(mode: str, wanted: User, attributes: AccessAttributes, check: Check) -> Impersonated:
    asking = attributes.user
    if mode == "associated-node":
        # One answer for a daemon's pods on every node: which node it is was compared before, so it is left out.
        asking = replace(asking, extra={_ASSOCIATED_KEYS: tuple(sorted(asking.extra))})
    await check(replace(attributes, user=asking, verb=f"impersonate-on:{mode}:{attributes.verb}"))
    verb = f"impersonate:{mode}"
    return Impersonated(await _permitted(verb, wanted, asking, check), verb)


async def _permitted(verb: str, wanted: User, asking: User, check: Check) -> User:
    """`wanted` with the groups that go with it, when `asking` has `verb` on every part of it."""
    constrained = verb != "impersonate"

    def on(resource: str, name: str, namespace: str = "", subresource: str = "", group: str = "") -> AccessAttributes:
        return AccessAttributes(asking, verb, group, "v1", resource, subresource, namespace, name)

    own = _AUTHENTICATION if constrained else ""
    groups = wanted.groups
    account, node = account_of(wanted.name), node_name(wanted.name)
    if constrained and node:
        await check(on("nodes", "*" if verb.endswith(":associated-node") else node, group=own))
        groups = (_NODES,)
    elif account is not None:
        namespace, name = account
        await check(on("serviceaccounts", name, namespace, group=own))
        if not groups:
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    else:
        await check(on("users", wanted.name, group=own))
    if wanted.uid:
        await check(on("uids", wanted.uid, group=_AUTHENTICATION))
    if constrained:
        _check_groups(wanted.groups, on("groups", "", group=own))
        _check_extra(wanted.extra, on("userextras", "", group=_AUTHENTICATION))
    if not (constrained and len(wanted.groups) >= _MANY and await _passes(check, on("groups", "*", group=own))):
        for each in wanted.groups:
            await check(on("groups", each, group=own))
    everything = on("userextras", "*", subresource="*", group=_AUTHENTICATION)
    if not (constrained and _is_large(wanted.extra) and await _passes(check, everything)):
        for key, values in wanted.extra.items():
            for value in values:
                await check(on("userextras", value, subresource=key, group=_AUTHENTICATION))
    return replace(wanted, groups=_completed(wanted.name, groups, constrained=constrained))


def _completed(name: str, groups: tuple[str, ...], *, constrained: bool) -> tuple[str, ...]:
    if name == ANONYMOUS_NAME:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    if UNAUTHENTICATED in groups or AUTHENTICATED in groups:
        return groups
    return (*groups, AUTHENTICATED)


def _check_groups(groups: tuple[str, ...], attributes: AccessAttributes) -> None:
    if "" in groups:
        raise forbidden(attributes, "impersonating the empty string group is not allowed")
    if MASTERS in groups:
        named = replace(attributes, name=MASTERS)
        raise forbidden(named, "impersonating the system:masters group is not allowed")


def _check_extra(extra: Mapping[str, tuple[str, ...]], attributes: AccessAttributes) -> None:
    for key, values in extra.items():
        domain, slash, path = key.partition("/")
        if not key:
            why = "impersonating the empty string key in extra is not allowed"
        elif not (slash and path and not dns1123_subdomain(domain)):
            why = f"impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {key!r}"
        elif "" in values:
            why = "impersonating the empty string value in extra is not allowed"
        else:
            continue
        raise forbidden(attributes, why)


def _is_large(extra: Mapping[str, tuple[str, ...]]) -> bool:
    return sum(map(len, extra.values())) >= _MANY


async def _passes(check: Check, attributes: AccessAttributes) -> bool:
    try:
        await check(attributes)
    except failures.StatusError as error:
        if not failures.is_forbidden(error):
            raise
        return False
    return True


def account_of(name: str) -> tuple[str, str] | None:
    """The namespace and name of a service account's user name."""
    if not name.startswith(_ACCOUNT_PREFIX) or name.count(":") != 3:
        return None
    _, _, namespace, account = name.split(":")
    return (namespace, account) if namespace and account else None


def node_name(name: str) -> str:
    """The node a node's user name names, '' for any other."""
    node = name.removeprefix(_NODE_PREFIX)
    return node if node != name and not dns1123_subdomain(node) else ""


def _only_name(wanted: User) -> bool:
    return not wanted.uid and not wanted.groups and not wanted.extra


def _is_own_node(wanted: User, asking: User) -> bool:
    node = node_name(wanted.name)
    own = asking.extra.get(_NODE_NAME, ())
    return bool(node) and _only_name(wanted) and account_of(asking.name) is not None and own == (node,)


_MODES: tuple[tuple[str, Callable[[User, User], bool]], ...] = (
    ("associated-node", _is_own_node),
    ("arbitrary-node", lambda wanted, asking: _only_name(wanted) and bool(node_name(wanted.name))),
    ("serviceaccount", lambda wanted, asking: _only_name(wanted) and account_of(wanted.name) is not None),
    ("user-info", lambda wanted, asking: not node_name(wanted.name) and account_of(wanted.name) is None),
)


def forbidden(attributes: AccessAttributes, reason: str) -> failures.StatusError:
    """403 about what `attributes` ask for."""
    if not attributes.is_resource:
        return failures.denied(attributes.user.name, attributes.verb, path=attributes.path, reason=reason)
    return failures.denied(
        attributes.user.name,
        attributes.verb,
        failures.GroupPlural(attributes.group, attributes.resource),
        subresource=attributes.subresource,
        name=attributes.name,
        namespace=attributes.namespace,
        reason=reason,
    )
