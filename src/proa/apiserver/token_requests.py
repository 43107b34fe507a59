"""serviceaccounts/token: issuing tokens that are bound to an account and, where asked, to a pod, secret or node.

Source: KEP-1205, KEP-4193. Not here: signing (`proa.pki.tokens`), recognising tokens (`authn.service_accounts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from proa.aio.clock import Clock
from proa.api.authentication_v1 import TokenRequest
from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver import metadata
from proa.apiserver.actions import checked_body
from proa.apiserver.authn.service_accounts import BINDABLE
from proa.apiserver.identity import IssuedToken, TokenIssuer
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry import Registry
from proa.client.protocol import Client
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.timestamps import format_time
from proa.pki.tokens import BoundObject, TokenSigner

GROUP = "authentication.k8s.io"
_MINIMUM, _MAXIMUM = 10 * 60, 1 << 32
# What the kubelet asks for on behalf of pods that say nothing else: such a token lasts for a year, so that programs
# which read it once go on, and from then on it is remarked in the audit log.
_PROJECTED_SECONDS = 60 * 60 + 7
_EXTENDED = timedelta(days=365)


class TokenRequests:
    """Issues what a TokenRequest asks for. maximum: seconds, 0 for no limit."""

    def __init__(
        self,
        signer: TokenSigner,
        audiences: Sequence[str],
        client: Client,
        clock: Clock,
        *,
        extend: bool = True,
        maximum: float = 0.0,
    ) -> None:
        self._signer = signer
        self._audiences = tuple(audiences)
        self._client = client
        self._clock = clock
        self._extend = extend
        self._maximum = int(maximum)

    async def issue(self, account: Mapping[str, Any], request: Mapping[str, Any]) -> IssuedToken:
        """See `identity.TokenIssuer`."""
        meta, spec = account["metadata"], request["spec"]
        bound, node = await self._bound(meta["namespace"], meta["name"], spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or self._audiences
        seconds, warnings = spec["expirationSeconds"], []
        if 0 < self._maximum < seconds:
            warnings.append(f"requested expiration of {seconds} seconds shortened to {self._maximum} seconds")
            seconds = self._maximum
        lifetime, warn_after = timedelta(seconds=seconds), None
        of_pod = bound is not None and bound.kind == "Pod"
        if self._extend and of_pod and seconds == _PROJECTED_SECONDS and set(audiences) <= set(self._audiences):
            lifetime, warn_after = _EXTENDED, lifetime
        now = self._clock.now()
        token = self._signer.issue(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            audiences=audiences,
            lifetime=lifetime,
            now=now,
            bound=bound,
            node=node,
            warn_after=warn_after,
        )
        expiry = format_time(now + timedelta(seconds=seconds))
        return IssuedToken(token.token, expiry, tuple(audiences), seconds, f"JTI={token.id}", tuple(warnings))

    async def _bound(
        self, namespace: str, account: str, reference: Mapping[str, Any] | None
    ) -> tuple[BoundObject | None, BoundObject | None]:
        if not reference:
            return None, None
        kind, version = reference.get("kind", ""), reference.get("apiVersion", "")
        resource = BINDABLE.get(kind)
        if resource is None or "/" in version:
            group, _, number = version.rpartition("/")
            raise failures.bad_request(f"cannot bind token to object of type {group}/{number}, Kind={kind}")
        name = reference.get("name", "")
        found = await self._client.get(resource, name, "" if resource is NODES else namespace)
        if resource is PODS and found.spec.serviceAccountName != account:
            raise failures.bad_request(
                f"cannot bind token for serviceaccount {quoted(account)} to pod running with different serviceaccount "
                "name."
            )
        uid = found.metadata.uid
        if reference.get("uid") not in (None, "", uid):
            raise failures.conflict(
                failures.GroupPlural("", kind),
                name,
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. The "
                "object might have been deleted and then recreated",
            )
        bound = BoundObject(kind, name, uid)
        if resource is not PODS or not found.spec.nodeName:
            return bound, None
        return bound, await self._node(found.spec.nodeName)

    async def _node(self, name: str) -> BoundObject:
        try:
            node = await self._client.get(NODES, name)
        except failures.StatusError as error:
            if not failures.is_not_found(error):
                raise
            return BoundObject("Node", name, "")
        return BoundObject("Node", name, node.metadata.uid)


class TokenAction:
    """The action behind serviceaccounts/token."""

    def __init__(self, accounts: Registry, issuer: Callable[[], TokenIssuer | None]) -> None:
        self._accounts = accounts
        self._issuer = issuer

    async def request(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        """Issue a token for the account, as the request asks."""
        issuer = self._issuer()
        if issuer is None:
            raise failures.not_implemented("this API server was given nothing that issues service-account tokens")
        body = checked_body(body, TokenRequest, options, f"{GROUP}/v1")
        said = metadata.of(body)
        errors = ErrorList()
        for field, value, what in (("name", name, "name"), ("namespace", namespace, "namespace")):
            if said.get(field) not in (None, "", value):
                why = f"must match the service account {what} if specified"
                errors.invalid(Path("metadata", field), said[field], why)
        if errors:
            raise failures.invalid(GROUP, "TokenRequest", name, errors)
        account = msgspec.json.decode((await self._accounts.get(namespace, name)).body)
        uid = account["metadata"]["uid"]
        if said.get("uid") not in (None, "", uid):
            raise failures.conflict(
                failures.GroupPlural(GROUP, "TokenRequest"),
                name,
                f"the UID in the token request ({said['uid']}) does not match the UID of the service account ({uid})",
            )
        _check_seconds(body["spec"]["expirationSeconds"])
        await self._accounts.admit("CREATE", "token", namespace, name, body, options)
        issued = await issuer.issue(account, body)
        options.warnings += issued.warnings
        options.annotations["authentication.kubernetes.io/issued-credential-id"] = issued.id
        meta = {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": self._accounts.now()}
        spec = {**body["spec"], "audiences": list(issued.audiences), "expirationSeconds": issued.seconds}
        status = {"token": issued.token, "expirationTimestamp": issued.expires}
        return {**body, "metadata": meta, "spec": spec, "status": status}


def _check_seconds(seconds: int) -> None:
    errors, path = ErrorList(), Path("spec", "expirationSeconds")
    if seconds < _MINIMUM:
        errors.invalid(path, seconds, "may not specify a duration less than 10 minutes")
    if seconds > _MAXIMUM:
        errors.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")
    if errors:
        raise failures.invalid(GROUP, "TokenRequest", "", errors)
