"""From the claims of an identity provider's token to a user: which claim is what, and what must be claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from proa.apiserver.identity import User
from proa.base.errors import ProaError

Claims = Mapping[str, Any]


class ClaimError(ProaError):
    """The claims do not make a user of this cluster."""


class ClaimMappings(Protocol):
    def user(self, claims: Claims) -> User:
        """Raises ClaimError."""


@dataclass(frozen=True, slots=True)
class NamedClaims:
    """Claims by name. username: whose value, behind username_prefix, is the user's name. groups: '' for none; a text or
    a list of texts. required: claims that must be there with just this value."""

    username: str = "sub"
    username_prefix: str = ""
    groups: str = ""
    groups_prefix: str = ""
    required: Mapping[str, str] = field(default_factory=dict)

    def user(self, claims: Claims) -> User:
        name = _text(claims, self.username, f"oidc: parse username claims {self.username!r}")
        if self.username == "email" and claims.get("email_verified", True) is not True:
            # Without the claim the provider is believed: not every one has it.
            raise ClaimError("oidc: email not verified")
        groups = tuple(f"{self.groups_prefix}{each}" for each in self._groups(claims))
        for claim, value in self.required.items():
            if claim not in claims:
                raise ClaimError(f"oidc: required claim {claim} not present in ID token")
            found = _text(claims, claim, f"oidc: parse claim {claim}")
            if found != value:
                raise ClaimError(f"oidc: required claim {claim} value does not match. Got = {found}, want = {value}")
        return User(f"{self.username_prefix}{name}", groups=groups)

    def _groups(self, claims: Claims) -> list[str]:
        value = claims.get(self.groups) if self.groups else None
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
        raise ClaimError(f"oidc: parse groups claim {self.groups!r}: must be a text or a list of texts")


def _text(claims: Claims, name: str, what: str) -> str:
    if name not in claims:
        raise ClaimError(f"{what}: claim not present")
    value = claims[name]
    if not isinstance(value, str):
        raise ClaimError(f"{what}: must be a text, not {type(value).__name__}")
    return value
