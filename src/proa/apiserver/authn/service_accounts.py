"""Service-account tokens: issuing them for TokenRequest, and recognising them as long as what they are bound to lives.

Source: KEP-1205 (bound tokens), KEP-4193 (node claims). Signing and claims are `proa.pki.tokens`; here is the part that
needs the API: the account and the bound pod, secret or node must still exist with the same uid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from proa.aio.clock import Clock
from proa.api.core_v1.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from proa.apiserver.identity import AUTHENTICATED, Credentials, User
from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, bad_request, is_not_found, unauthorized
from proa.machinery.timestamps import format_time
from proa.pki.tokens import BoundObject, Claims, InvalidTokenError, TokenSigner

ACCOUNTS_GROUP = "system:serviceaccounts"
_BINDABLE: dict[str, Resource[Any]] = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}


def account_user(claims: Claims) -> User:
    """The user a token's claims stand for, with upstream's groups and extra fields."""
    extra: dict[str, tuple[str, ...]] = {"authentication.kubernetes.io/credential-id": (f"JTI={claims.id}",)}
    for each in (claims.bound, claims.node):
        if each is not None and each.kind in ("Pod", "Node"):
            extra[f"authentication.kubernetes.io/{each.kind.lower()}-name"] = (each.name,)
            extra[f"authentication.kubernetes.io/{each.kind.lower()}-uid"] = (each.uid,)
    return User(
        f"system:serviceaccount:{claims.namespace}:{claims.name}",
        claims.uid,
        (ACCOUNTS_GROUP, f"{ACCOUNTS_GROUP}:{claims.namespace}", AUTHENTICATED),
        extra,
    )


class ServiceAccountTokens:
    """Both sides of a cluster's service-account tokens: an Authenticator and a TokenIssuer."""

    def __init__(self, signer: TokenSigner, audiences: Sequence[str], client: Client, clock: Clock) -> None:
        self._signer = signer
        self._audiences = tuple(audiences)
        self._client = client
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> User | None:
        # Three dot separated parts is what a JWT looks like; anything else belongs to another authenticator.
        if credentials.token.count(".") != 2:
            return None
        claims = await self.review(credentials.token, self._audiences)
        return account_user(claims)

    async def review(self, token: str, audiences: Sequence[str]) -> Claims:
        """The claims of a live token, for authentication and TokenReview. Raises StatusError 401."""
        try:
            claims = self._signer.verify(token, tuple(audiences) or self._audiences, self._clock.now())
        except InvalidTokenError as error:
            raise unauthorized(f"invalid bearer token, {error}") from error
        await self._must_live(SERVICE_ACCOUNTS, claims.namespace, BoundObject("account", claims.name, claims.uid))
        if claims.bound is not None:
            namespace = "" if claims.bound.kind == "Node" else claims.namespace
            await self._must_live(_BINDABLE[claims.bound.kind], namespace, claims.bound)
        return claims

    async def issue(self, service_account: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[str, str]:
        """Sign what a defaulted TokenRequest document asks for: the token, and its expiry in RFC 3339."""
        metadata, spec = service_account["metadata"], request.get("spec") or {}
        lifetime = timedelta(seconds=spec.get("expirationSeconds") or 3600)
        bound, node = await self._bound(metadata["namespace"], spec.get("boundObjectRef"))
        now = self._clock.now()
        token = self._signer.issue(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            audiences=spec.get("audiences") or self._audiences,
            lifetime=lifetime,
            now=now,
            bound=bound,
            node=node,
        )
        return token, format_time(now + lifetime)

    def key_set(self) -> dict[str, Any]:
        """The document at /openid/v1/jwks."""
        return self._signer.key_set()

    async def _bound(
        self, namespace: str, reference: Mapping[str, Any] | None
    ) -> tuple[BoundObject | None, BoundObject | None]:
        if not reference:
            return None, None
        resource = _BINDABLE.get(reference.get("kind", ""))
        if resource is None:
            raise bad_request(f"cannot bind token to object of kind {reference.get('kind')!r}: use Pod, Secret or Node")
        found = await self._client.get(resource, reference.get("name", ""), "" if resource is NODES else namespace)
        metadata = found.metadata
        if reference.get("uid") not in (None, "", metadata.uid):
            raise bad_request(
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record"
                f" ({metadata.uid}). The object might have been deleted and then recreated"
            )
        bound = BoundObject(resource.kind, metadata.name, metadata.uid)
        if resource is not PODS or not found.spec.nodeName:
            return bound, None
        return bound, await self._node(found.spec.nodeName)

    async def _node(self, name: str) -> BoundObject:
        try:
            node = await self._client.get(NODES, name)
        except StatusError as error:
            if not is_not_found(error):
                raise
            return BoundObject("Node", name, "")
        return BoundObject("Node", name, node.metadata.uid)

    async def _must_live(self, resource: Resource[Any], namespace: str, bound: BoundObject) -> None:
        try:
            found = await self._client.get(resource, bound.name, namespace)
        except StatusError as error:
            if not is_not_found(error):
                raise
            raise unauthorized(f"{resource.kind} {bound.name!r} of the token no longer exists") from error
        if bound.uid and found.metadata.uid != bound.uid:
            raise unauthorized(f"{resource.kind} {bound.name!r} of the token was replaced by another")
