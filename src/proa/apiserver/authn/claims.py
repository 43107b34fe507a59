"""From the claims of an identity provider's token to a user: which claim is what, and what must be claimed.

Here: claims by name. Not here: expressions over them (`claim_expressions`), and where either is configured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from proa.apiserver.identity import User
from proa.base.errors import ProaError

Claims = Mapping[str, Any]
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class ClaimError(ProaError):
    """The claims do not make a user of this cluster."""


class ClaimMappings(msgspec.Struct, frozen=True):
    """How claims make a user. checks: of the claims, user_checks: of the user made of them. All raise ClaimError."""

    username: Callable[[Claims], str]
    groups: Callable[[Claims], tuple[str, ...]] = lambda claims: ()
    uid: Callable[[Claims], str] = lambda claims: ""
    extra: Mapping[str, Callable[[Claims], tuple[str, ...]]] = msgspec.field(default_factory=dict)
    checks: Sequence[Callable[[Claims], None]] = ()
    user_checks: Sequence[Callable[[User], None]] = ()

    def user(self, claims: Claims) -> User:
        """Raises ClaimError."""
        name, groups, uid = self.username(claims), self.groups(claims), self.uid(claims)
        if not name:
            raise ClaimError("oidc: empty username is not allowed")
        identity = claims.get("jti")
        extra: dict[str, tuple[str, ...]] = {}
        if isinstance(identity, str):
            extra[CREDENTIAL_ID] = (f"JTI={identity}",)
        extra |= {key: values for key, value in self.extra.items() if (values := value(claims))}
        for check in self.checks:
            check(claims)
        user = User(name, uid, groups, extra)
        for check_user in self.user_checks:
            check_user(user)
        return user


def named_username(claim: str, prefix: str) -> Callable[[Claims], str]:
    def value(claims: Claims) -> str:
        name = text(claims, claim, f"oidc: parse username claims {claim!r}")
        if claim == "email" and claims.get("email_verified", True) is not True:
            # Without the claim the provider is believed: not every one has it.
            raise ClaimError("oidc: email not verified")
        return f"{prefix}{name}"

    return value


def named_groups(claim: str, prefix: str) -> Callable[[Claims], tuple[str, ...]]:
    """A text, or a list of texts."""

    def value(claims: Claims) -> tuple[str, ...]:
        found = claims.get(claim)
        if found is None and claim in (claims.get("_claim_names") or {}):
            # Whoever has too many groups for a token must not silently have none.
            raise ClaimError(f"oidc: the claim {claim!r} is a distributed one, which is not implemented")
        listed = [] if found is None else [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise ClaimError(f"oidc: parse groups claim {claim!r}: must be a text or a list of texts")
        return tuple(f"{prefix}{each}" for each in listed)

    return value


def required(claim: str, value: str) -> Callable[[Claims], None]:
    """The claim must be there with just this value."""

    def check(claims: Claims) -> None:
        if claim not in claims:
            raise ClaimError(f"oidc: required claim {claim} not present in ID token")
        found = text(claims, claim, f"oidc: parse claim {claim}")
        if found != value:
            raise ClaimError(f"oidc: required claim {claim} value does not match. Got = {found}, want = {value}")

    return check


def text(claims: Claims, name: str, what: str) -> str:
    """A claim that must be there and be a text."""
    if name not in claims:
        raise ClaimError(f"{what}: claim not present")
    value = claims[name]
    if not isinstance(value, str):
        raise ClaimError(f"{what}: must be a text, not {type(value).__name__}")
    return value
