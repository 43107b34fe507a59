from base64 import encodebytes
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.unit.pki.signing import request

from proa.pki.certificates import Authorities, Subject, create_authority, subject_of
from proa.pki.requests import RequestError, SigningRequest, check_certificates, parse, sign

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTHORITY = create_authority("authority", NOW)
USAGES = ("digital signature", "key encipherment", "client auth")


def signed(pem: bytes, lifetime: timedelta = timedelta(days=30), *usages: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(sign(AUTHORITY, pem, usages or USAGES, lifetime, NOW))


def test_a_request_says_whom_the_certificate_is_for() -> None:
    pem = request("ann", "a", "b", names=("x.y",), addresses=("10.0.0.1",))
    assert parse(pem) == SigningRequest("ann", ("a", "b"), ("x.y",), ("10.0.0.1",), (), ())


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "PEM block type must be CERTIFICATE REQUEST"),
        (AUTHORITY.certificate, "PEM block type must be CERTIFICATE REQUEST"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot parse"),
    ],
)
def test_what_is_no_request_is_refused(pem: bytes, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        parse(pem)


def test_a_request_with_another_ones_signature_is_refused() -> None:
    first, second = (x509.load_pem_x509_csr(request(name)) for name in ("ann", "bob"))
    whole, signature = first.public_bytes(serialization.Encoding.DER), first.signature
    assert len(second.signature) > 0
    forged = whole.replace(signature, bytes(len(signature) * [1]))

    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + encodebytes(forged) + b"-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(RequestError):
        parse(pem)


def test_a_signed_certificate_has_the_subject_names_and_key_of_the_request() -> None:
    pem = request("ann", "a", names=("x.y",))
    certificate = signed(pem)
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert Authorities(AUTHORITY.certificate).signed(der)
    assert subject_of(der) == Subject("ann", ("a",))
    assert certificate.public_key() == x509.load_pem_x509_csr(pem).public_key()
    extensions = certificate.extensions
    assert extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [
        "x.y"
    ]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_is_for_the_uses_of_the_request() -> None:
    extensions = signed(request("ann")).extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_an_authority_in_a_request_makes_none_of_the_certificate() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = signed(made.public_bytes(serialization.Encoding.PEM))
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_long_certificate_is_moved_back_a_little_and_a_short_one_keeps_its_end() -> None:
    five = timedelta(minutes=5)
    long, short = signed(request("ann"), timedelta(days=30)), signed(request("ann"), timedelta(hours=1))
    assert long.not_valid_before_utc == short.not_valid_before_utc == NOW - five
    assert long.not_valid_after_utc == NOW + timedelta(days=30) - five
    assert short.not_valid_after_utc == NOW + timedelta(hours=1)
    beyond = signed(request("ann"), timedelta(days=100_000))
    assert beyond.not_valid_after_utc == x509.load_pem_x509_certificate(AUTHORITY.certificate).not_valid_after_utc


def test_an_authority_that_ended_signs_nothing() -> None:
    with pytest.raises(RequestError, match="has expired"):
        sign(AUTHORITY, request("ann"), USAGES, timedelta(days=1), NOW + timedelta(days=10_000))


def test_only_certificates_are_certificates() -> None:
    check_certificates(AUTHORITY.certificate * 2)
    with pytest.raises(RequestError, match="at least one"):
        check_certificates(b"hello")
    with pytest.raises(RequestError, match=r"found \"PRIVATE KEY\""):
        check_certificates(AUTHORITY.certificate + AUTHORITY.key)
