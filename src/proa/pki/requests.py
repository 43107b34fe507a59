"""Certificate signing requests (PKCS #10): reading what somebody asks for, and signing it with an authority.

Not here: who may ask for what (`rules.certificates`), and storing requests.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from proa.base.errors import ProaError
from proa.pki.certificates import BACKDATE, KeyPair

# The end of a certificate that lasts less than this is not moved: five minutes are a part of it that counts.
SHORT = timedelta(hours=8)
_BEGIN = b"-----BEGIN "
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED_USAGES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": ObjectIdentifier("2.16.840.1.113730.4.1"),
}


class RequestError(ProaError):
    """This is no certificate signing request, or cannot be signed."""


class SigningRequest(msgspec.Struct, frozen=True):
    """What of a request says whom the certificate is for. names, addresses, emails, uris: subject alternative names."""

    common_name: str
    organizations: tuple[str, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]


def parse(pem: bytes) -> SigningRequest:
    """A request in PEM whose signature is right. Raises RequestError."""
    request = _load(pem)
    subject = request.subject
    common = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = tuple(str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    alternatives = _alternatives(request)

    def of(kind: type[x509.GeneralName]) -> tuple[str, ...]:
        return tuple(str(each.value) for each in alternatives if isinstance(each, kind))

    return SigningRequest(
        common[-1] if common else "",
        organizations,
        of(x509.DNSName),
        of(x509.IPAddress),
        of(x509.RFC822Name),
        of(x509.UniformResourceIdentifier),
    )


def sign(authority: KeyPair, pem: bytes, usages: Collection[str], lifetime: timedelta, now: datetime) -> bytes:
    """The certificate (PEM) a request asks for: its subject, names and key, nothing else of it. Raises RequestError."""
    request = _load(pem)
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise RequestError("the authority's key must be an elliptic curve key")
    if now >= issuer.not_valid_after_utc:
        raise RequestError(f"the signer has expired: NotAfter={issuer.not_valid_after_utc}")
    end = now + lifetime - (BACKDATE if lifetime >= SHORT else timedelta())
    flags = {_KEY_USAGES[each] for each in usages if each in _KEY_USAGES}
    extended = dict.fromkeys(_EXTENDED_USAGES[each] for each in usages if each in _EXTENDED_USAGES)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(issuer.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(end, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if flags:
        builder = builder.add_extension(_key_usage(flags), critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(extended)), critical=False)
    if alternatives := _alternatives(request):
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def check_certificates(pem: bytes) -> None:
    """Raises RequestError where PEM holds anything but certificates, or none."""
    for line in pem.splitlines():
        if line.startswith(_BEGIN) and line != b"-----BEGIN CERTIFICATE-----":
            kind = line.removeprefix(_BEGIN).removesuffix(b"-----").decode(errors="replace")
            raise RequestError(f'only CERTIFICATE PEM blocks are allowed, found "{kind}"')
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise RequestError("must contain at least one CERTIFICATE PEM block")
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _load(pem: bytes) -> x509.CertificateSigningRequest:
    if not pem.lstrip().startswith(b"-----BEGIN CERTIFICATE REQUEST-----"):
        raise RequestError("PEM block type must be CERTIFICATE REQUEST")
    try:
        request = x509.load_pem_x509_csr(pem)
        valid = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise RequestError(f"cannot parse the certificate request: {error}") from error
    if not valid:
        raise RequestError("the signature of the certificate request is not valid")
    return request


def _alternatives(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    except ValueError as error:
        raise RequestError(f"cannot parse the certificate request: {error}") from error
    known = (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)
    return [each for each in extension.value if isinstance(each, known)]


def _key_usage(flags: Collection[str]) -> x509.KeyUsage:
    names = sorted(set(_KEY_USAGES.values()))
    said = {name: name in flags for name in names}
    if not said["key_agreement"]:  # these two only say how keys are agreed on
        said["encipher_only"] = said["decipher_only"] = False
    return x509.KeyUsage(**said)
