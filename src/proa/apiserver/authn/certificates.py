"""Client certificates: the common name is the user, the organizations are the groups (X.509 authentication)."""

from __future__ import annotations

import hashlib

from proa.aio.clock import Clock, SystemClock
from proa.apiserver.identity import Credentials, User
from proa.base.metrics import Histogram, Metrics
from proa.machinery.status import unauthorized
from proa.pki.certificates import Authorities, expiry_of, subject_of

_HOUR, _DAY = 3600.0, 86400.0
_BUCKETS = (
    0.0, _HOUR / 2, _HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY,
    180 * _DAY, 360 * _DAY,
)  # fmt: skip
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class CertificateAuthenticator:
    """TLS has verified the chain before this is asked. authorities: whose certificates speak for users, where TLS
    trusts others too (of front proxies); None: all that TLS trusts. Counts in `metrics` for how long certificates are
    still valid, each whenever it is looked at, which for a busy client is every few seconds (`REMEMBERED`)."""

    def __init__(
        self, authorities: Authorities | None = None, *, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> None:
        self._authorities = authorities
        self._clock = clock or SystemClock()
        self._left: Histogram = (
            (metrics or Metrics())
            .histogram(
                "apiserver_client_certificate_expiration_seconds",
                "For how many seconds the certificates that clients show are still valid.",
                buckets=_BUCKETS,
            )
            .labels()
        )

    async def authenticate(self, credentials: Credentials) -> User | None:
        certificate = credentials.certificate
        if certificate is None:
            return None
        if self._authorities is not None and not self._authorities.signed(certificate):
            raise unauthorized("x509: certificate signed by unknown authority")
        subject = subject_of(certificate)
        if not subject.common_name:
            return None
        left = (expiry_of(certificate) - self._clock.now()).total_seconds()
        self._left.observe(left)
        if left < 0:  # TLS looked at it only when the connection, or the session that it resumes, began
            raise unauthorized("x509: certificate has expired")
        identity = hashlib.sha256(certificate).hexdigest()
        return User(
            subject.common_name, groups=subject.organizations, extra={_CREDENTIAL_ID: (f"X509SHA256={identity}",)}
        )
