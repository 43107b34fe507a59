"""The front proxy: a server in front of this one that has authenticated users itself and says who they are in headers.

It is believed by its client certificate: signed by an authority that signs nothing else, with one of a few names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.apiserver.identity import AUTHENTICATED, User
from proa.pki.certificates import Authorities, expiry_of, subject_of

_MOST = 1000


class Headers(msgspec.Struct, frozen=True):
    """Names of the headers, the first that has a value counts (of groups all); prefixes of those for extra fields."""

    user: tuple[str, ...] = ("X-Remote-User",)
    uid: tuple[str, ...] = ("X-Remote-Uid",)
    group: tuple[str, ...] = ("X-Remote-Group",)
    extra: tuple[str, ...] = ("X-Remote-Extra-",)


class FrontProxyAuthenticator:
    """authorities: who signs proxies' certificates. names: common names of proxies, () for any."""

    def __init__(
        self, authorities: Authorities, names: tuple[str, ...], headers: Headers, clock: Clock | None = None
    ) -> None:
        self._authorities = authorities
        self._names = names
        self._headers = headers
        self._clock = clock or SystemClock()
        self._trusted: dict[bytes, datetime | None] = {}
        """Until when a certificate is that of a proxy, None: never."""

    def user(self, certificate: bytes | None, headers: Mapping[str, str]) -> User | None:
        """Whom a proxy with this verified certificate (DER) speaks for; None when it is no proxy or names nobody."""
        if certificate is None or not self._is_proxy(certificate):
            return None
        if not (name := _first(headers, self._headers.user)):
            return None
        values: Any = headers
        groups = tuple(value for each in self._headers.group for value in values.getall(each, ()) if value)
        extra: dict[str, tuple[str, ...]] = {}
        for prefix in self._headers.extra:
            for header, value in headers.items():
                if header.lower().startswith(prefix.lower()):
                    key = unquote(header[len(prefix) :].lower())
                    extra[key] = (*extra.get(key, ()), value)
        if AUTHENTICATED not in groups:
            groups = (*groups, AUTHENTICATED)
        return User(name, _first(headers, self._headers.uid), groups, extra)

    def _is_proxy(self, certificate: bytes) -> bool:
        if certificate not in self._trusted:
            if len(self._trusted) > _MOST:
                self._trusted.clear()
            known = not self._names or subject_of(certificate).common_name in self._names
            trusted = known and self._authorities.signed(certificate)
            self._trusted[certificate] = expiry_of(certificate) if trusted else None
        until = self._trusted[certificate]
        return until is not None and self._clock.now() <= until


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for each in names if (value := headers.get(each, ""))), "")
