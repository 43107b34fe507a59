"""Bearer tokens that the server was started with: those of a file (`token_file`), and tests'."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from proa.apiserver.identity import Credentials, User


class StaticTokenAuthenticator:
    """`tokens` maps a secret token to its user. Comparison takes the same time for every wrong token."""

    def __init__(self, tokens: Mapping[str, User]) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}

    async def authenticate(self, credentials: Credentials) -> User | None:
        offered = credentials.token.encode()
        if not offered:
            return None
        found: User | None = None
        for token, user in self._tokens.items():
            if hmac.compare_digest(token, offered):
                found = user
        return found
