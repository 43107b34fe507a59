"""Client certificates: the common name is the user, the organizations are the groups (X.509 authentication)."""

from __future__ import annotations

import hashlib

from proa.apiserver.identity import Credentials, User
from proa.pki.certificates import Authorities, subject_of

_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class CertificateAuthenticator:
    """TLS has verified the chain before this is asked. authorities: whose certificates speak for users, where TLS
    trusts others too (of front proxies); None: all that TLS trusts."""

    def __init__(self, authorities: Authorities | None = None) -> None:
        self._authorities = authorities

    async def authenticate(self, credentials: Credentials) -> User | None:
        certificate = credentials.certificate
        if certificate is None or (self._authorities is not None and not self._authorities.signed(certificate)):
            return None
        subject = subject_of(certificate)
        if not subject.common_name:
            return None
        identity = hashlib.sha256(certificate).hexdigest()
        return User(
            subject.common_name, groups=subject.organizations, extra={_CREDENTIAL_ID: (f"X509SHA256={identity}",)}
        )
