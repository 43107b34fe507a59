from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proa.pki.certificates import create_authority
from proa.pki.pairing import mismatch

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = create_authority("one", NOW), create_authority("other", NOW)
RSA = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
BROKEN = b"-----BEGIN %s-----\nAAAA\n-----END %s-----\n"


def test_a_certificate_and_its_own_key_are_a_pair() -> None:
    assert mismatch(ONE.certificate + OTHER.certificate, PARAMETERS + ONE.key) == ""


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (ONE.certificate, OTHER.key, "private key does not match public key"),
        (ONE.certificate, RSA, "private key type does not match public key type"),
        (b"cert", ONE.key, "failed to find any PEM data in certificate input"),
        (ONE.certificate, b"key", "failed to find any PEM data in key input"),
        (ONE.key, ONE.certificate, "PEM inputs may have been switched"),
        (ONE.certificate, ONE.certificate, "found a certificate rather than a key in the PEM for the private key"),
        (PARAMETERS, ONE.key, "after skipping PEM blocks of the following types: [EC PARAMETERS]"),
        (ONE.certificate, PARAMETERS, "after skipping PEM blocks of the following types: [EC PARAMETERS]"),
        (ONE.certificate, BROKEN % (b"PRIVATE KEY", b"PRIVATE KEY"), "failed to parse private key"),
    ],
)
def test_what_is_no_pair_is_told_apart(certificate: bytes, key: bytes, why: str) -> None:
    said = mismatch(certificate, key)
    assert said.startswith("tls: ")
    assert said.endswith(why)


def test_a_certificate_that_is_none_is_malformed() -> None:
    assert mismatch(BROKEN % (b"CERTIFICATE", b"CERTIFICATE"), ONE.key) == "x509: malformed certificate"
