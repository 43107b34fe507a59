"""Service-account tokens: signed JSON Web Tokens bound to an account and, where asked, to a pod, secret or node.

The claims are upstream's (KEP-1205, `kubernetes.io` private claim), so that any client or verifier can read them; the
older kind that lives in a Secret and never expires has claims and an issuer of its own. Signatures are ES256. Not here:
whether the bound objects still exist; that is the authenticator's question.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa.base.errors import ProaError

ALGORITHM = "ES256"
SECRET_ISSUER = "kubernetes/serviceaccount"
"""The issuer of tokens that live in Secrets."""
_LEGACY = "kubernetes.io/serviceaccount/"
# Clocks differ: a token is good a minute longer and sooner than it says.
LEEWAY = timedelta(seconds=60)


class InvalidTokenError(ProaError):
    """The token is not ours, is expired, is for another audience, or is malformed."""


class BoundObject(msgspec.Struct, frozen=True):
    """kind is Pod, Secret or Node."""

    kind: str
    name: str
    uid: str


class IssuedToken(msgspec.Struct, frozen=True):
    """A token, and its identity for the audit log (jti)."""

    token: str
    id: str


class Claims(msgspec.Struct, frozen=True):
    """Whom a token speaks for. audiences: for whom, of those that were asked for. `node` is where the bound pod was
    scheduled when the token was made. warn_after: from when on its bearer should have fetched a newer one.
    expires_at: None for a token that lives in a Secret, which is `bound` then, without a uid."""

    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires_at: datetime | None
    id: str
    bound: BoundObject | None = None
    node: BoundObject | None = None
    warn_after: datetime | None = None

    @property
    def in_secret(self) -> bool:
        return self.expires_at is None


class TokenSigner:
    """Issues and verifies the tokens of one cluster. `key` is a P-256 private key as PKCS #8 PEM.

    The first issuer makes new tokens, the others made earlier ones. A token that lives in a Secret names no audience
    and is for `audiences`.
    """

    def __init__(self, key: bytes, *issuers: str, audiences: Sequence[str] = ()) -> None:
        private = serialization.load_pem_private_key(key, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("the service-account key must be an elliptic curve key")
        self.issuer = issuers[0]
        self._issuers = frozenset((*issuers, SECRET_ISSUER))
        self._audiences = tuple(audiences) or issuers[:1]
        self._private = private
        self._public = private.public_key()
        der = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()

    def issue(
        self,
        *,
        namespace: str,
        name: str,
        uid: str,
        audiences: Sequence[str],
        lifetime: timedelta,
        now: datetime,
        bound: BoundObject | None = None,
        node: BoundObject | None = None,
        warn_after: timedelta | None = None,
    ) -> IssuedToken:
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        for each in (bound, node):
            if each is not None:
                private[each.kind.lower()] = {
                    key: value for key, value in (("name", each.name), ("uid", each.uid)) if value
                }
        issued = int(now.timestamp())
        if warn_after is not None:
            private["warnafter"] = issued + int(warn_after.total_seconds())
        identity = str(uuid.uuid4())
        payload = {
            "iss": self.issuer,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": list(audiences),
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": identity,
            "kubernetes.io": private,
        }
        return IssuedToken(self._sign(payload), identity)

    def issue_for_secret(self, *, namespace: str, name: str, uid: str, secret: str) -> str:
        """A token that lives in a Secret, and as long as it."""
        return self._sign(
            {
                "iss": SECRET_ISSUER,
                "sub": f"system:serviceaccount:{namespace}:{name}",
                f"{_LEGACY}namespace": namespace,
                f"{_LEGACY}secret.name": secret,
                f"{_LEGACY}service-account.name": name,
                f"{_LEGACY}service-account.uid": uid,
            }
        )

    def _sign(self, payload: Mapping[str, Any]) -> str:
        return jwt.encode(dict(payload), self._private, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def may_have_issued(self, token: str) -> bool:
        """Whether a token says that it is from this cluster, signature unseen."""
        try:
            payload = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return payload.get("iss") in self._issuers

    def verify(self, token: str, audiences: Sequence[str], now: datetime) -> Claims:
        """The claims, with `audiences` cut down to those that were asked for. Raises InvalidTokenError."""
        try:
            payload = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "verify_iss": False,
                    "verify_jti": False,
                    "require": ["iss", "sub"],
                },
            )
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError(str(error)) from error
        if payload["iss"] not in self._issuers:
            raise InvalidTokenError("Invalid issuer")
        return (
            _secret_claims(payload, self._audiences, audiences)
            if payload["iss"] == SECRET_ISSUER
            else _claims(payload, audiences, now)
        )

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517), for /openid/v1/jwks."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._public))
        return {"keys": [{**key, "use": "sig", "kid": self.key_id, "alg": ALGORITHM}]}


def _claims(payload: Mapping[str, Any], audiences: Sequence[str], now: datetime) -> Claims:
    seconds = now.timestamp()
    expiry, leeway = payload.get("exp"), LEEWAY.total_seconds()
    if not isinstance(expiry, int | float) or expiry + leeway <= seconds:
        raise InvalidTokenError("service account token has expired")
    if max(payload.get("nbf") or 0, payload.get("iat") or 0) > seconds + leeway:
        raise InvalidTokenError("service account token is not valid yet")
    private = payload.get("kubernetes.io") or {}
    account = private.get("serviceaccount") or {}
    if not account.get("name") or not private.get("namespace"):
        raise InvalidTokenError("token names no service account")
    bound = [
        BoundObject(kind, private[kind.lower()]["name"], private[kind.lower()].get("uid", ""))
        for kind in ("Pod", "Secret", "Node")
        if kind.lower() in private
    ]
    said = payload.get("aud") or ()
    warn_after = private.get("warnafter")
    return Claims(
        namespace=private["namespace"],
        name=account["name"],
        uid=account.get("uid", ""),
        audiences=_granted((said,) if isinstance(said, str) else tuple(said), audiences),
        expires_at=datetime.fromtimestamp(expiry, tz=now.tzinfo),
        id=payload.get("jti", ""),
        bound=bound[0] if bound else None,
        node=bound[1] if len(bound) > 1 else None,
        warn_after=datetime.fromtimestamp(warn_after, tz=now.tzinfo) if warn_after else None,
    )


def _secret_claims(payload: Mapping[str, Any], own: Sequence[str], audiences: Sequence[str]) -> Claims:
    said = {
        name: payload.get(f"{_LEGACY}{claim}", "")
        for name, claim in (
            ("namespace", "namespace"),
            ("secretName", "secret.name"),
            ("serviceAccountName", "service-account.name"),
            ("serviceAccountUID", "service-account.uid"),
        )
    }
    for name, value in said.items():
        if not value:
            raise InvalidTokenError(f"{name} claim is missing")
    if payload["sub"] != f"system:serviceaccount:{said['namespace']}:{said['serviceAccountName']}":
        raise InvalidTokenError("sub claim is invalid")
    return Claims(
        namespace=said["namespace"],
        name=said["serviceAccountName"],
        uid=said["serviceAccountUID"],
        audiences=_granted(own, audiences),
        expires_at=None,
        id="",
        bound=BoundObject("Secret", said["secretName"], ""),
    )


def _granted(said: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    granted = tuple(each for each in wanted if each in said)
    if not granted:
        raise InvalidTokenError(
            f"token audiences {_listed(said)} is invalid for the target audiences {_listed(wanted)}"
        )
    return granted


def _listed(texts: Sequence[str]) -> str:
    return "[" + " ".join(f'"{each}"' for each in texts) + "]"
