"""Bootstrap tokens: a new node's first proof, by which it asks for its certificate (`system:bootstrappers`)."""

from __future__ import annotations

import hmac

from proa.aio.clock import Clock
from proa.api.core_v1.resources import SECRETS
from proa.apiserver.identity import Credentials, User
from proa.client.protocol import Client
from proa.machinery.status import StatusError, is_not_found
from proa.rules import bootstrap_tokens as facts


class BootstrapTokenAuthenticator:
    """`client` reads Secrets of kube-system."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> User | None:
        """A token that is not good in any way is not known, so that another authenticator may."""
        token = facts.parse(credentials.token)
        if token is None:
            return None
        identity, key = token
        try:
            secret = await self._client.get(SECRETS, f"{facts.PREFIX}{identity}", facts.NAMESPACE)
        except StatusError as error:
            if not is_not_found(error):
                raise
            return None
        groups = facts.groups(secret)
        left = facts.seconds_left(secret, self._clock.now())
        good = (
            secret.metadata.deletionTimestamp is None
            and secret.type == facts.TYPE
            and hmac.compare_digest(secret.data.get("token-secret", b""), key.encode())
            and facts.text(secret, "token-id") == identity
            and (left is None or left > 0)
            and facts.may(secret, "authentication")
        )
        return User(f"{facts.USER_PREFIX}{identity}", groups=groups) if good and groups is not None else None
