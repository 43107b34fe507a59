"""Issuers named in a file that may change while the server runs (`--authentication-config`, KEP-3331).

The file is looked at whenever somebody unknown comes, so a change counts at once for new tokens, and for known ones
when they are forgotten (`REMEMBERED`). What is wrong with it is logged, and the issuers stay as they were. Not here:
what the file says (`configuration`), and who is anonymous, which holds until the server starts anew.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from proa.aio.clock import Clock
from proa.aio.tasks import TaskScope
from proa.apiserver.authn import configuration
from proa.apiserver.authn.oidc import OidcAuthenticator
from proa.apiserver.identity import AnyAuthenticator, Credentials, User

log = logging.getLogger(__name__)


class ConfiguredIssuers:
    """own_issuers: this cluster's. Raises ConfigurationError, OSError when it is made."""

    def __init__(self, path: Path, own_issuers: Sequence[str], clock: Clock) -> None:
        self._path = path
        self._own_issuers = own_issuers
        self._clock = clock
        self._closing = TaskScope("issuers that are configured no more")
        self._stamp = self._looked()
        self._content = path.read_bytes()
        found = configuration.load(path, own_issuers)
        self.anonymous = found.anonymous
        self._take(found)

    async def authenticate(self, credentials: Credentials) -> User | None:
        self._follow()
        return await self._union.authenticate(credentials)

    async def close(self) -> None:
        await self._closing.close()
        for each in self._issuers:
            await each.close()

    def _follow(self) -> None:
        """Go by the file as it is now."""
        try:
            stamp = self._looked()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            content = self._path.read_bytes()
            if content == self._content:
                return
            found = configuration.load(self._path, self._own_issuers)
        except (OSError, configuration.ConfigurationError) as error:
            log.error("the issuers stay as they were: %s", error)
            return
        if found.anonymous != self.anonymous:
            log.error("the issuers stay as they were: %s: anonymous cannot change while the server runs", self._path)
            return
        self._content = content
        for each in self._issuers:
            self._closing.spawn(each.close(), name="close issuer")
        self._take(found)
        log.info("the issuers of %s are others now", self._path)

    def _take(self, found: configuration.Configuration) -> None:
        self._issuers = [OidcAuthenticator(issuer, mappings, self._clock) for issuer, mappings in found.issuers]
        self._union = AnyAuthenticator(self._issuers)

    def _looked(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
