"""Bootstrap tokens: Secrets in kube-system by which a new node proves itself until it has a certificate.

Source: the bootstrap token format (`<id>.<secret>`, Secret `bootstrap-token-<id>`). Pure facts, shared by who accepts
them and who signs with and cleans them up.
"""

from __future__ import annotations

import re
from datetime import datetime

from proa.api.core_v1 import Secret
from proa.machinery import timestamps

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"
PREFIX = "bootstrap-token-"
USER_PREFIX = "system:bootstrap:"
GROUP = "system:bootstrappers"

_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_EXTRA_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


def parse(token: str) -> tuple[str, str] | None:
    """The id and the secret part of what looks like a bootstrap token."""
    match = _TOKEN.fullmatch(token)
    return (match[1], match[2]) if match else None


def text(secret: Secret, key: str) -> str:
    """An entry of the Secret, '' without it."""
    return secret.data.get(key, b"").decode(errors="replace")


def seconds_left(secret: Secret, now: datetime) -> float | None:
    """Until it expires, None for never; an expiration that cannot be read has passed."""
    expiration = text(secret, "expiration")
    if not expiration:
        return None
    try:
        return (timestamps.parse(expiration) - now).total_seconds()
    except ValueError:
        return 0.0


def may(secret: Secret, usage: str) -> bool:
    """Whether the token is for `authentication` or `signing`."""
    return text(secret, f"usage-bootstrap-{usage}") == "true"


def groups(secret: Secret) -> tuple[str, ...] | None:
    """Groups of who comes with the token; None when one of them may not be given away."""
    extra = [each for each in text(secret, "auth-extra-groups").split(",") if each]
    if not all(_EXTRA_GROUP.fullmatch(each) for each in extra):
        return None
    return tuple(sorted({GROUP, *extra}))


def signing_key(secret: Secret, now: datetime) -> tuple[str, str] | None:
    """The id and the secret part of a token that is whole, alive and for signing."""
    named = secret.metadata.name.removeprefix(PREFIX)
    token = parse(f"{text(secret, 'token-id')}.{text(secret, 'token-secret')}")
    left = seconds_left(secret, now)
    if secret.type != TYPE or token is None or token[0] != named or not may(secret, "signing"):
        return None
    return token if left is None or left > 0 else None
