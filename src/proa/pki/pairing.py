"""Whether a certificate and a private key belong together, in the words that clients know from Go's crypto/tls."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_KINDS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)


def mismatch(certificate: bytes, key: bytes) -> str:
    """Why they are no pair; '' if they are. Both are PEM; the first certificate of several is the leaf."""
    certificates, keys = _blocks(certificate), _blocks(key)
    leaf = next((pem for kind, pem in certificates if kind == "CERTIFICATE"), None)
    if leaf is None:
        return _no_certificate([kind for kind, _ in certificates])
    secret = next((pem for kind, pem in keys if _is_key(kind)), None)
    if secret is None:
        return _no_key([kind for kind, _ in keys])
    try:
        public = x509.load_pem_x509_certificate(leaf).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    try:
        own = load_pem_private_key(secret, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls: failed to parse private key"
    kind = next((each for each in _KINDS if isinstance(public, each)), None)
    if kind is None:
        return "tls: unknown public key algorithm"
    if not isinstance(own, kind):
        return "tls: private key type does not match public key type"
    return "" if public == own else "tls: private key does not match public key"


def _blocks(text: bytes) -> list[tuple[str, bytes]]:
    return [(each[1].decode(), each[0]) for each in _BLOCK.finditer(text)]


def _is_key(kind: str) -> bool:
    return kind == "PRIVATE KEY" or kind.endswith(" PRIVATE KEY")


def _no_certificate(kinds: list[str]) -> str:
    if not kinds:
        return "tls: failed to find any PEM data in certificate input"
    if len(kinds) == 1 and kinds[0].endswith("PRIVATE KEY"):
        return (
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may "
            "have been switched"
        )
    skipped = " ".join(kinds)
    return (
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following '
        f"types: [{skipped}]"
    )


def _no_key(kinds: list[str]) -> str:
    if not kinds:
        return "tls: failed to find any PEM data in key input"
    if kinds == ["CERTIFICATE"]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    skipped = " ".join(kinds)
    return (
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the '
        f"following types: [{skipped}]"
    )
