"""Client certificates: the common name is the user, the organizations are the groups (X.509 authentication)."""

from __future__ import annotations

from proa.apiserver.identity import AUTHENTICATED, Credentials, User
from proa.pki.certificates import subject_of


class CertificateAuthenticator:
    """TLS has verified the chain against the cluster's authority before this is asked."""

    async def authenticate(self, credentials: Credentials) -> User | None:
        if credentials.certificate is None:
            return None
        subject = subject_of(credentials.certificate)
        if not subject.common_name:
            return None
        return User(subject.common_name, groups=(*subject.organizations, AUTHENTICATED))
