"""Simulated images: every one is present unless the caller says that it must be pulled, or cannot be."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence

from proa.runtime.protocol import Image, ImageAuth, NotFoundError, RuntimeFault

_SIZE = 5_000_000


class FakeImages:
    """`absent`: references to pull first (taking `pull_seconds`); `broken`: references and why pulling them fails."""

    def __init__(
        self,
        *,
        absent: Collection[str] = (),
        broken: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        pull_seconds: float = 0.0,
    ) -> None:
        self._absent = set(absent)
        self._broken = dict(broken or {})
        self._users = dict(users or {})
        self._pull_seconds = pull_seconds
        self._seen: dict[str, Image] = {}

    async def pull(self, reference: str, auth: Sequence[ImageAuth] = ()) -> Image:
        await asyncio.sleep(self._pull_seconds)
        if reference in self._broken:
            raise RuntimeFault(self._broken[reference], "ErrImagePull")
        self._absent.discard(reference)
        return self._image(reference)

    async def find(self, reference: str) -> Image | None:
        if reference in self._absent or reference in self._broken:
            return None
        return self._image(reference)

    async def images(self) -> Sequence[Image]:
        return list(self._seen.values())

    async def remove(self, reference: str) -> None:
        if self._seen.pop(reference, None) is None:
            raise NotFoundError(f"image {reference!r} not found")
        self._absent.add(reference)

    async def disk_usage(self) -> int:
        return sum(image.size for image in self._seen.values())

    def _image(self, reference: str) -> Image:
        image = self._seen.get(reference)
        if image is None:
            digest = hashlib.sha256(reference.encode()).hexdigest()
            name = reference.partition("@")[0]
            if ":" in name.rpartition("/")[2]:
                name = name.rpartition(":")[0]
            user = self._users.get(reference, "")
            image = Image(f"sha256:{digest}", (reference,), (f"{name}@sha256:{digest}",), _SIZE, user)
            self._seen[reference] = image
        return image
