"""OpenID Connect with a provider of its own on loopback."""

from __future__ import annotations

import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from proa.aio.clock import SystemClock
from proa.apiserver.authn.claims import ClaimError, ClaimMappings, named_groups, named_username, required
from proa.apiserver.authn.configured import ConfiguredIssuers
from proa.apiserver.authn.oidc import Issuer, OidcAuthenticator
from proa.apiserver.identity import Credentials, User
from proa.machinery.status import StatusError
from proa.pki.certificates import Subject, create_authority, issue


class Later(SystemClock):
    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Identity:
    """A provider: `token(claims)` signs with its key, `keys` is what it publishes."""

    def __init__(self) -> None:
        self.url = ""
        self.authority = b""
        self.says_issuer: str | None = None
        self.fetched = 0
        self.private: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None
        self.add_key("first")

    def add_key(self, identity: str, private: Any = None, algorithm: str = "ES256") -> None:
        private = private or ec.generate_private_key(ec.SECP256R1())
        self.private[identity] = (private, algorithm)
        of = jwt.algorithms.RSAAlgorithm if algorithm.startswith("RS") else jwt.algorithms.ECAlgorithm
        self.published.append({**json.loads(of.to_jwk(private.public_key())), "kid": identity, "alg": algorithm})

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._configuration)
        application.router.add_get("/keys", self._keys)
        now = datetime.now(UTC)
        authority = create_authority("identity authority", now)
        pair = issue(authority, Subject("identity"), now, addresses=("127.0.0.1",), server=True)
        self.authority = authority.certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "crt").write_bytes(pair.certificate)
            (Path(folder) / "key").write_bytes(pair.key)
            context.load_cert_chain(f"{folder}/crt", f"{folder}/key")
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _configuration(self, request: web.Request) -> web.Response:
        issuer = self.says_issuer if self.says_issuer is not None else self.url
        return web.json_response({"issuer": issuer, "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, request: web.Request) -> web.Response:
        self.fetched += 1
        return web.json_response({"keys": self.published})

    def token(self, key: str = "first", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        private, algorithm = self.private[key]
        body = {"iss": self.url, "aud": "proa", "sub": "ann", "exp": time.time() + 60, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, private, algorithm=algorithm, headers={"kid": key, **(headers or {})})


@pytest.fixture
async def identity() -> AsyncIterator[Identity]:
    provider = Identity()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def clock() -> Later:
    return Later()


@pytest.fixture
async def oidc(identity: Identity, clock: Later) -> AsyncIterator[OidcAuthenticator]:
    issuer = Issuer(identity.url, ("proa", "other"), identity.authority, ("ES256", "RS256"))
    authenticator = OidcAuthenticator(
        issuer, ClaimMappings(named_username("sub", ""), named_groups("groups", "")), clock
    )
    yield authenticator
    await authenticator.close()


async def who(oidc: OidcAuthenticator, token: str) -> User | None:
    return await oidc.authenticate(Credentials(token))


async def test_a_token_of_the_provider_is_a_user(oidc: OidcAuthenticator, identity: Identity) -> None:
    assert await who(oidc, identity.token(groups=["a", "b"])) == User("ann", groups=("a", "b"))
    assert await who(oidc, identity.token(aud=["x", "other"])) == User("ann")
    assert identity.fetched == 1


async def test_a_token_of_another_issuer_is_left_to_others(oidc: OidcAuthenticator, identity: Identity) -> None:
    assert await who(oidc, identity.token(iss="https://elsewhere")) is None
    assert await who(oidc, "no token") is None
    assert identity.fetched == 0


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "x"}, "expected audience in"),
        ({"aud": None}, "expected audience in"),
        ({"exp": 1}, "token is expired"),
        ({"exp": None}, "token is expired"),
        ({"nbf": time.time() + 3600}, "before the nbf"),
        ({"sub": None}, "claim not present"),
        ({"groups": 1}, "parse groups claim"),
    ],
)
async def test_a_token_that_is_not_for_here_and_now_is_refused(
    oidc: OidcAuthenticator, identity: Identity, claims: dict[str, Any], why: str
) -> None:
    with pytest.raises(StatusError, match=why) as refused:
        await who(oidc, identity.token(**claims))
    assert refused.value.code == 401


async def test_a_token_signed_by_somebody_else_is_refused(
    oidc: OidcAuthenticator, identity: Identity, clock: Later
) -> None:
    forger = Identity()
    forger.url = identity.url
    with pytest.raises(StatusError, match="failed to verify signature"):
        await who(oidc, forger.token())
    forger.add_key("unknown")
    with pytest.raises(StatusError, match="failed to verify signature"):
        await who(oidc, forger.token("unknown"))


async def test_only_the_agreed_algorithms_count(oidc: OidcAuthenticator, identity: Identity) -> None:
    identity.add_key("rsa", rsa.generate_private_key(65537, 2048), "RS512")
    with pytest.raises(StatusError, match="unsupported algorithm"):
        await who(oidc, identity.token("rsa"))
    unsigned = jwt.encode({"iss": identity.url, "sub": "ann", "aud": "proa", "exp": time.time() + 60}, None, "none")
    with pytest.raises(StatusError, match="unsupported algorithm"):
        await who(oidc, unsigned)


async def test_a_new_key_of_the_provider_is_fetched(oidc: OidcAuthenticator, identity: Identity, clock: Later) -> None:
    await who(oidc, identity.token())
    identity.add_key("second")
    clock.ahead = 5
    assert await who(oidc, identity.token("second")) == User("ann")
    assert identity.fetched == 2


async def test_unknown_keys_do_not_make_the_provider_be_asked_again_and_again(
    oidc: OidcAuthenticator, identity: Identity
) -> None:
    await who(oidc, identity.token())
    for _ in range(3):
        with pytest.raises(StatusError):
            await who(oidc, identity.token(headers={"kid": "unknown"}))
    assert identity.fetched == 1


async def test_a_provider_that_says_to_be_another_is_not_used_until_it_is_right(
    oidc: OidcAuthenticator, identity: Identity, clock: Later
) -> None:
    identity.says_issuer = "https://elsewhere"
    with pytest.raises(StatusError, match="issuer did not match"):
        await who(oidc, identity.token())
    identity.says_issuer = None
    with pytest.raises(StatusError, match="not initialized"):
        await who(oidc, identity.token())
    clock.ahead = 11
    assert await who(oidc, identity.token()) == User("ann")


async def test_a_provider_with_an_unknown_authority_is_not_believed(identity: Identity, clock: Later) -> None:
    authenticator = OidcAuthenticator(Issuer(identity.url, ("proa",)), ClaimMappings(named_username("sub", "")), clock)
    with pytest.raises(StatusError, match="cannot get"):
        await who(authenticator, identity.token())
    await authenticator.close()


def test_names_and_groups_get_their_prefixes() -> None:
    mappings = ClaimMappings(named_username("name", "oidc:"), named_groups("roles", "g:"))
    assert mappings.user({"name": "ann", "roles": "a"}) == User("oidc:ann", groups=("g:a",))
    assert mappings.user({"name": "ann"}) == User("oidc:ann")


def test_groups_that_are_somewhere_else_are_not_silently_none() -> None:
    mappings = ClaimMappings(named_username("sub", ""), named_groups("groups", ""))
    with pytest.raises(ClaimError, match="distributed"):
        mappings.user({"sub": "ann", "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}})


def test_an_address_that_is_not_verified_is_nobodys() -> None:
    mappings = ClaimMappings(named_username("email", ""))
    assert mappings.user({"email": "a@b.c"}).name == "a@b.c"
    assert mappings.user({"email": "a@b.c", "email_verified": True}).name == "a@b.c"
    with pytest.raises(ClaimError, match="email not verified"):
        mappings.user({"email": "a@b.c", "email_verified": False})


def test_required_claims_must_have_their_values() -> None:
    mappings = ClaimMappings(named_username("sub", ""), checks=[required("tenant", "acme")])
    assert mappings.user({"sub": "ann", "tenant": "acme"}).name == "ann"
    with pytest.raises(ClaimError, match="required claim tenant not present in ID token"):
        mappings.user({"sub": "ann"})
    with pytest.raises(ClaimError, match=r"value does not match. Got = x, want = acme"):
        mappings.user({"sub": "ann", "tenant": "x"})


# -- a file of issuers


def configure(path: Path, identity: Identity, prefix: str, **more: Any) -> None:
    issuer = {"url": identity.url, "audiences": ["proa"], "certificateAuthority": identity.authority.decode()}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": {"username": {"claim": "sub", "prefix": prefix}}}],
        **more,
    }
    path.write_text(json.dumps(document))


async def test_issuers_are_as_their_file_says_whenever_it_changes(
    identity: Identity, clock: Later, tmp_path: Path
) -> None:
    path = tmp_path / "authentication.yaml"
    configure(path, identity, "old:")
    issuers = ConfiguredIssuers(path, (), clock)
    credentials = Credentials(identity.token())
    assert (user := await issuers.authenticate(credentials)) is not None
    assert user.name == "old:ann"
    configure(path, identity, "newer:")
    assert (user := await issuers.authenticate(credentials)) is not None
    assert user.name == "newer:ann"
    await issuers.close()


@pytest.mark.parametrize("wrong", ["nothing", "a list", "another anonymous", "not there"])
async def test_issuers_stay_as_they_were_when_their_file_is_wrong(
    identity: Identity, clock: Later, tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "authentication.yaml"
    configure(path, identity, "old:")
    issuers = ConfiguredIssuers(path, (), clock)
    if wrong == "not there":
        path.unlink()
    elif wrong == "another anonymous":
        configure(path, identity, "new:", anonymous={"enabled": True})
    else:
        path.write_text({"nothing": "", "a list": "[]"}[wrong])
    credentials = Credentials(identity.token())
    for _ in range(2):
        assert (user := await issuers.authenticate(credentials)) is not None
        assert user.name == "old:ann"
    assert "the issuers stay as they were: " in caplog.text
    await issuers.close()
