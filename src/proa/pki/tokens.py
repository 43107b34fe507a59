"""Service-account tokens: signed JSON Web Tokens bound to an account and, where asked, to a pod, secret or node.

The claims are upstream's (KEP-1205, `kubernetes.io` private claim), so that any client or verifier can read them.
Signatures are ES256. Not here: whether the bound objects still exist; that is the authenticator's question.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa.base.errors import ProaError

ALGORITHM = "ES256"


class InvalidTokenError(ProaError):
    """The token is not ours, is expired, is for another audience, or is malformed."""


@dataclass(frozen=True, slots=True)
class BoundObject:
    """kind is Pod, Secret or Node."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token speaks for. `node` is where the bound pod was scheduled when the token was made."""

    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires_at: datetime
    id: str
    bound: BoundObject | None = None
    node: BoundObject | None = None


class TokenSigner:
    """Issues and verifies the tokens of one cluster. `key` is a P-256 private key as PKCS #8 PEM."""

    def __init__(self, key: bytes, issuer: str) -> None:
        private = serialization.load_pem_private_key(key, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("the service-account key must be an elliptic curve key")
        self.issuer = issuer
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
    ) -> str:
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        for each in (bound, node):
            if each is not None:
                private[each.kind.lower()] = {"name": each.name, "uid": each.uid}
        issued = int(now.timestamp())
        payload = {
            "iss": self.issuer,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": list(audiences),
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
        }
        return jwt.encode(payload, self._private, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def verify(self, token: str, audiences: Sequence[str], now: datetime) -> Claims:
        """The claims, with `audiences` cut down to those that were asked for. Raises InvalidTokenError."""
        try:
            payload = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                audience=list(audiences),
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError(str(error)) from error
        if payload["exp"] <= now.timestamp():
            raise InvalidTokenError("token has expired")
        if payload.get("nbf", 0) > now.timestamp() + 60:
            raise InvalidTokenError("token is not valid yet")
        private = payload.get("kubernetes.io") or {}
        account = private.get("serviceaccount") or {}
        if not account.get("name") or not private.get("namespace"):
            raise InvalidTokenError("token names no service account")
        bound = [
            BoundObject(kind, private[kind.lower()]["name"], private[kind.lower()]["uid"])
            for kind in ("Pod", "Secret", "Node")
            if kind.lower() in private
        ]
        granted = payload["aud"] if isinstance(payload["aud"], list) else [payload["aud"]]
        return Claims(
            namespace=private["namespace"],
            name=account["name"],
            uid=account.get("uid", ""),
            audiences=tuple(each for each in audiences if each in granted),
            expires_at=datetime.fromtimestamp(payload["exp"], tz=now.tzinfo),
            id=payload.get("jti", ""),
            bound=bound[0] if bound else None,
            node=bound[1] if len(bound) > 1 else None,
        )

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517), for /openid/v1/jwks."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._public))
        return {"keys": [{**key, "use": "sig", "kid": self.key_id, "alg": ALGORITHM}]}
