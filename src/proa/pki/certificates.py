"""A small certificate authority: self-signed roots and the leaf certificates they issue (RFC 5280).

Keys are P-256: as widely accepted as RSA and a hundred times cheaper to make, which matters for a cluster that is
ready in a second. Time is a parameter. Not here: where files live (`proa.cluster`), who is trusted for what
(`proa.apiserver`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=365)
# Clocks of nodes differ a little: a certificate is valid from slightly before it was made.
BACKDATE = timedelta(minutes=5)


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate and its private key, both PEM (PKCS #8 for the key)."""

    certificate: bytes
    key: bytes


class Subject(msgspec.Struct, frozen=True):
    """Who a certificate speaks for: Kubernetes reads the common name as user and the organizations as groups."""

    common_name: str
    organizations: tuple[str, ...] = ()


def _name(subject: Subject) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in subject.organizations),
            x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name),
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def new_private_key() -> bytes:
    """A fresh P-256 private key as PKCS #8 PEM."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def create_authority(common_name: str, now: datetime) -> KeyPair:
    """A self-signed root that may issue leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(Subject(common_name))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def issue(
    authority: KeyPair,
    subject: Subject,
    now: datetime,
    *,
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
    server: bool = False,
    client: bool = False,
    lifetime: timedelta = LEAF_LIFETIME,
) -> KeyPair:
    """A leaf certificate signed by `authority`. `names` and `addresses` become subject alternative names."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key must be an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [
        *([ExtendedKeyUsageOID.SERVER_AUTH] if server else []),
        *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else []),
    ]
    builder = (
        _builder(_name(subject), issuer.subject, key.public_key())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(now + lifetime, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def subject_of(certificate: bytes) -> Subject:
    """The subject of a DER certificate, as TLS hands over a peer's."""
    name = x509.load_der_x509_certificate(certificate).subject
    common = [str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = tuple(str(each.value) for each in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return Subject(common[0] if common else "", organizations)


def expiry_of(certificate: bytes) -> datetime:
    """When a DER certificate expires."""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc


class Authorities:
    """Certificates (a PEM bundle) whose signatures count."""

    def __init__(self, bundle: bytes) -> None:
        self._certificates = x509.load_pem_x509_certificates(bundle)

    def signed(self, certificate: bytes) -> bool:
        """Whether one of them signed a DER certificate itself, not by way of another authority."""
        leaf = x509.load_der_x509_certificate(certificate)
        for each in self._certificates:
            try:
                leaf.verify_directly_issued_by(each)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False


def expires_at(certificate: bytes) -> datetime:
    """When a PEM certificate ends, in UTC."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def covers(certificate: bytes, names: Sequence[str], addresses: Sequence[str]) -> bool:
    """Whether a PEM certificate is good for every one of these names and addresses."""
    try:
        extension = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return not names and not addresses
    has_names = set(extension.value.get_values_for_type(x509.DNSName))
    has_addresses = {str(each) for each in extension.value.get_values_for_type(x509.IPAddress)}
    return has_names.issuperset(names) and has_addresses.issuperset(addresses)
