"""OpenID Connect: ID tokens of an identity provider, verified with the keys it publishes.

Source: OpenID Connect Discovery 1.0, RFC 7517. Here: fetching the provider's keys and checking tokens. Not here: what
claims mean for a user (`claims`), reading configuration.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import jwt
import msgspec

from proa.aio.clock import Clock
from proa.apiserver.authn.algorithms import ASYMMETRIC
from proa.apiserver.authn.claims import ClaimError, ClaimMappings
from proa.apiserver.identity import Credentials, User
from proa.base.errors import ProaError
from proa.machinery.status import unauthorized

log = logging.getLogger(__name__)

_CONFIGURATION = "/.well-known/openid-configuration"
_TIMEOUT = aiohttp.ClientTimeout(total=30.0)
# Seconds between two tries to reach a provider, and between two looks for a key that was not there.
_AGAIN_AFTER = 10.0
_KEYS_AGAIN_AFTER = 1.0
_NOT_BEFORE_LEEWAY = 300.0


class ProviderError(ProaError):
    """The identity provider cannot be used."""


class Issuer(msgspec.Struct, frozen=True):
    """url: as tokens say it. audiences: one of which a token must be for. authorities: PEM of who signs the provider's
    certificate, empty for the system's. discovery_url: where its configuration is, '' for the usual place."""

    url: str
    audiences: tuple[str, ...]
    authorities: bytes = b""
    algorithms: tuple[str, ...] = ASYMMETRIC
    discovery_url: str = ""


class Provider:
    """The keys of one provider: fetched when the first token comes, again when one is signed with an unknown key."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._keys_url = ""
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._tried = self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    async def keys(self, identity: str | None) -> Sequence[jwt.PyJWK]:
        """The keys a token that names the key `identity` may be signed with. Raises ProviderError."""
        found = self._known(identity)
        if found:
            return found
        async with self._fetching:
            if not self._known(identity):
                await self._fetch()
        return self._known(identity)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _known(self, identity: str | None) -> Sequence[jwt.PyJWK]:
        return [each for each in self._keys if identity is None or each.key_id in (None, identity)]

    async def _fetch(self) -> None:
        now = self._clock.monotonic()
        if not self._keys_url:
            if now - self._tried < _AGAIN_AFTER:
                raise ProviderError("oidc: authenticator not initialized")
            self._tried = now
            self._keys_url = await self._find_keys()
        elif now - self._fetched < _KEYS_AGAIN_AFTER:
            return
        self._fetched = now
        document = await self._get(self._keys_url)
        try:
            self._keys = tuple(jwt.PyJWKSet.from_dict(dict(document)).keys)
        except jwt.PyJWTError as error:
            raise ProviderError(f"oidc: {self._keys_url}: no usable keys: {error}") from error

    async def _find_keys(self) -> str:
        issuer = self._issuer
        document = await self._get(issuer.discovery_url or issuer.url.rstrip("/") + _CONFIGURATION)
        if document.get("issuer") != issuer.url:
            said = document.get("issuer")
            raise ProviderError(
                f"oidc: issuer did not match the issuer returned by provider, expected {issuer.url!r} got {said!r}"
            )
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not url:
            raise ProviderError("oidc: provider did not return JWKS URL")
        return url

    async def _get(self, url: str) -> Mapping[str, Any]:
        if self._session is None:
            context = ssl.create_default_context(cadata=self._issuer.authorities.decode() or None)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=_TIMEOUT)
        try:
            async with self._session.get(url) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderError(f"oidc: cannot get {url}: {error}") from error
        if response.status != 200:
            raise ProviderError(f"oidc: {url} answered {response.status}")
        try:
            document = json.loads(body)
        except ValueError as error:
            raise ProviderError(f"oidc: {url} answered no JSON: {error}") from error
        if not isinstance(document, dict):
            raise ProviderError(f"oidc: {url} answered no JSON object")
        return document


class OidcAuthenticator:
    """Knows the tokens of one issuer."""

    def __init__(self, issuer: Issuer, mappings: ClaimMappings, clock: Clock) -> None:
        self._issuer = issuer
        self._mappings = mappings
        self._clock = clock
        self._provider = Provider(issuer, clock)

    async def authenticate(self, credentials: Credentials) -> User | None:
        token = credentials.token
        if token.count(".") != 2 or _issuer_of(token) != self._issuer.url:
            return None
        try:
            claims = await self._verified(token)
            return self._mappings.user(claims)
        except ClaimError as error:
            raise unauthorized(f"invalid bearer token, {error}") from error
        except ProviderError as error:
            log.error("%s", error)
            raise unauthorized(f"invalid bearer token, {error}") from error

    async def close(self) -> None:
        await self._provider.close()

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of a good token. Raises ClaimError, ProviderError."""
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in self._issuer.algorithms:
                raise ClaimError(
                    f"oidc: verify token: oidc: id token signed with unsupported algorithm, expected "
                    f"{list(self._issuer.algorithms)} got {algorithm!r}"
                )
            claims = await self._signed(token, header.get("kid"), algorithm)
        except jwt.PyJWTError as error:
            raise ClaimError(f"oidc: verify token: {error}") from error
        now = self._clock.now().timestamp()
        if (expiry := _number(claims, "exp")) is None or expiry <= now:
            raise ClaimError("oidc: verify token: oidc: token is expired")
        if (begin := _number(claims, "nbf")) is not None and begin > now + _NOT_BEFORE_LEEWAY:
            raise ClaimError("oidc: verify token: oidc: current time is before the nbf (not before) time")
        said = claims.get("aud")
        audiences = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        if not set(audiences) & set(self._issuer.audiences):
            wanted = sorted(self._issuer.audiences)
            raise ClaimError(f"oidc: verify token: oidc: expected audience in {wanted} got {audiences}")
        return claims

    async def _signed(self, token: str, identity: str | None, algorithm: str) -> Mapping[str, Any]:
        for key in await self._provider.keys(identity):
            try:
                claims: dict[str, Any] = jwt.decode(token, key.key, algorithms=[algorithm], options=_SIGNATURE_ONLY)
            except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError, ValueError):
                continue
            return claims
        raise ClaimError("oidc: verify token: failed to verify signature: failed to verify id token signature")


_SIGNATURE_ONLY: Any = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _issuer_of(token: str) -> str:
    try:
        payload = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return ""
    issuer = payload.get("iss")
    return issuer if isinstance(issuer, str) else ""


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
