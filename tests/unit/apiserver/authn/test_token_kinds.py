"""Bootstrap tokens, token files, client certificates and front proxies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from multidict import CIMultiDict

from proa.aio.clock import SystemClock
from proa.api.core_v1 import Secret
from proa.api.core_v1.resources import SECRETS
from proa.apiserver.authn import token_file
from proa.apiserver.authn.bootstrap_tokens import BootstrapTokenAuthenticator
from proa.apiserver.authn.certificates import CertificateAuthenticator
from proa.apiserver.authn.front_proxy import FrontProxyAuthenticator, Headers
from proa.apiserver.authn.static_tokens import StaticTokenAuthenticator
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import (
    AUTHENTICATED,
    LOOPBACK,
    UNAUTHENTICATED,
    AnyAuthenticator,
    Credentials,
    User,
)
from proa.base.metrics import Metrics
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, unauthorized
from proa.machinery.timestamps import format_time
from proa.pki.certificates import Authorities, KeyPair, Subject, create_authority, expiry_of, issue

NOW = datetime.now(UTC)


def der(pair: KeyPair) -> bytes:
    return x509.load_pem_x509_certificate(pair.certificate).public_bytes(Encoding.DER)


# -- bootstrap tokens

GOOD = {
    "token-id": "abcdef",
    "token-secret": "0123456789abcdef",
    "usage-bootstrap-authentication": "true",
    "auth-extra-groups": "system:bootstrappers:workers",
}


async def bootstrap(server: ApiServer, token: str = "abcdef.0123456789abcdef", **changes: Any) -> User | None:
    client = server.client_for(LOOPBACK)
    kind = changes.pop("type", "bootstrap.kubernetes.io/token")
    data = {key.replace("_", "-"): value for key, value in changes.items()}
    entries = {key: value.encode() for key, value in (GOOD | data).items() if value}
    meta = ObjectMeta(name="bootstrap-token-abcdef", namespace="kube-system")
    await client.create(SECRETS, Secret(metadata=meta, type=kind, data=entries))
    authenticator = BootstrapTokenAuthenticator(client, server.config.clock)
    return await authenticator.authenticate(Credentials(token))


async def test_a_bootstrap_token_is_its_own_user_in_its_groups(server: ApiServer) -> None:
    assert await bootstrap(server, expiration=format_time(NOW + timedelta(hours=1))) == User(
        "system:bootstrap:abcdef", groups=("system:bootstrappers", "system:bootstrappers:workers")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"expiration": format_time(NOW - timedelta(seconds=1))},
        {"expiration": "soon"},
        {"usage_bootstrap_authentication": "false"},
        {"usage_bootstrap_authentication": ""},
        {"token_secret": "fedcba9876543210"},
        {"token_id": "fedcba"},
        {"auth_extra_groups": "system:masters"},
        {"type": "Opaque"},
        {"token": "fedcba.0123456789abcdef"},
        {"token": "ABCDEF.0123456789abcdef"},
    ],
)
async def test_a_bootstrap_token_that_is_not_good_in_any_way_is_not_known(
    server: ApiServer, changes: dict[str, str]
) -> None:
    assert await bootstrap(server, **changes) is None


# -- token files


async def test_a_token_file_names_users_and_their_groups(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text('one,ann,1\ntwo,bob,2,"a,b"\n\n,nobody,3\n')
    tokens = StaticTokenAuthenticator(token_file.read(path))
    assert await tokens.authenticate(Credentials("one")) == User("ann", "1")
    assert await tokens.authenticate(Credentials("two")) == User("bob", "2", ("a", "b"))
    assert await tokens.authenticate(Credentials("")) is None
    assert await tokens.authenticate(Credentials("three")) is None


def test_a_line_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text("one,ann\n")
    with pytest.raises(token_file.TokenFileError, match=r"at least 3 columns .*, found 2"):
        token_file.read(path)


# -- certificates and front proxies

CLUSTER, PROXIES = create_authority("cluster", NOW), create_authority("proxies", NOW)
PROXY = der(issue(PROXIES, Subject("front-proxy-client"), NOW, client=True))
OTHER_PROXY = der(issue(PROXIES, Subject("other"), NOW, client=True))
USER = der(issue(CLUSTER, Subject("front-proxy-client", ("team",)), NOW, client=True))
REMOTE = CIMultiDict(
    [
        ("X-Remote-User", "ann"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "a"),
        ("x-remote-group", "b"),
        ("X-Remote-Extra-Acme.com%2Fscope", "read"),
    ]
)


async def test_a_certificate_of_the_cluster_is_its_subject() -> None:
    authenticator = CertificateAuthenticator(Authorities(CLUSTER.certificate))
    user = await authenticator.authenticate(Credentials(certificate=USER))
    assert user is not None
    assert (user.name, user.groups) == ("front-proxy-client", ("team",))
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")


class ThreeHoursBefore(SystemClock):
    def now(self) -> datetime:
        return expiry_of(USER) - timedelta(hours=3)


async def test_metrics_tell_for_how_long_certificates_are_still_valid() -> None:
    metrics = Metrics(process=False)
    authenticator = CertificateAuthenticator(clock=ThreeHoursBefore(), metrics=metrics)
    await authenticator.authenticate(Credentials(certificate=USER))
    lines = metrics.exposition().decode().splitlines()
    name = "apiserver_client_certificate_expiration_seconds"
    assert f'{name}_bucket{{le="7200.0"}} 0.0' in lines
    assert f'{name}_bucket{{le="21600.0"}} 1.0' in lines
    assert f"{name}_sum 10800.0" in lines


class DayAfter(SystemClock):
    def now(self) -> datetime:
        return expiry_of(USER) + timedelta(days=1)


async def test_a_certificate_that_expired_since_its_connection_began_is_refused() -> None:
    authenticator = CertificateAuthenticator(Authorities(CLUSTER.certificate), clock=DayAfter())
    with pytest.raises(StatusError, match="certificate has expired") as refused:
        await authenticator.authenticate(Credentials(certificate=USER))
    assert refused.value.code == 401


def test_a_proxy_whose_certificate_expired_is_believed_no_more() -> None:
    now: list[datetime] = [NOW]

    class Passing(SystemClock):
        def now(self) -> datetime:
            return now[0]

    names = ("front-proxy-client",)
    proxy = FrontProxyAuthenticator(Authorities(PROXIES.certificate), names, Headers(), Passing())
    assert proxy.user(PROXY, REMOTE) is not None
    now[0] = expiry_of(PROXY) + timedelta(seconds=1)
    assert proxy.user(PROXY, REMOTE) is None


async def test_a_proxys_certificate_makes_no_user_not_even_an_anonymous_one() -> None:
    authenticator = CertificateAuthenticator(Authorities(CLUSTER.certificate))
    with pytest.raises(StatusError, match="unknown authority") as refused:
        await authenticator.authenticate(Credentials(certificate=PROXY))
    assert refused.value.code == 401


def test_a_front_proxy_speaks_for_users() -> None:
    proxy = FrontProxyAuthenticator(Authorities(PROXIES.certificate), ("front-proxy-client",), Headers())
    user = proxy.user(PROXY, REMOTE)
    assert user is not None
    assert user == User("ann", "7", ("a", "b", AUTHENTICATED), {"acme.com/scope": ("read",)})
    assert user.extra == {"acme.com/scope": ("read",)}
    assert proxy.user(PROXY, CIMultiDict()) is None


@pytest.mark.parametrize("certificate", [None, USER, OTHER_PROXY])
def test_nobody_else_is_believed(certificate: bytes | None) -> None:
    proxy = FrontProxyAuthenticator(Authorities(PROXIES.certificate), ("front-proxy-client",), Headers())
    assert proxy.user(certificate, REMOTE) is None


def test_without_names_every_certificate_of_the_proxies_authority_counts() -> None:
    proxy = FrontProxyAuthenticator(Authorities(PROXIES.certificate), (), Headers(user=("X-User", "X-Remote-User")))
    assert proxy.user(OTHER_PROXY, REMOTE) is not None
    assert proxy.user(USER, REMOTE) is None


# -- the union


class Says:
    def __init__(self, answer: User | StatusError | None) -> None:
        self.answer = answer

    async def authenticate(self, credentials: Credentials) -> User | None:
        if isinstance(self.answer, StatusError):
            raise self.answer
        return self.answer


async def test_a_failure_of_one_authenticator_leaves_the_token_to_the_next() -> None:
    first, second = unauthorized("first"), unauthorized("second")
    union = AnyAuthenticator([Says(first), Says(None), Says(User("ann"))])
    assert await union.authenticate(Credentials("x")) == User("ann", groups=(AUTHENTICATED,))
    with pytest.raises(StatusError, match="first"):
        await AnyAuthenticator([Says(first), Says(second)]).authenticate(Credentials("x"))
    assert await AnyAuthenticator([Says(None)]).authenticate(Credentials("x")) is None


async def test_everybody_known_is_in_the_group_of_the_known() -> None:
    stranger = User("x", groups=(UNAUTHENTICATED,))
    assert await AnyAuthenticator([Says(stranger)]).authenticate(Credentials("x")) == stranger
