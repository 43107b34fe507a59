"""Having a container's image on the node: one pull of an image at a time, a few pulls at once, with credentials.

Not here: registries and layers (`oci`), pull policy and events (the image step).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proa.api.core_v1 import Secret
from proa.base.errors import ProaError
from proa.runtime.protocol import Image, ImageAuth, Images


class ImagePuller:
    """Serialises pulls per image: a second pod that wants what is being pulled waits for that pull."""

    def __init__(self, images: Images, parallel: int = 5) -> None:
        self.images = images
        self._slots = asyncio.Semaphore(parallel)
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._pulls = 0

    def statistics(self) -> dict[str, int]:
        return {"pulls": self._pulls, "pulling": len(self._locks)}

    async def find(self, reference: str) -> Image | None:
        return await self.images.find(reference)

    async def pull(self, reference: str, auth: Sequence[ImageAuth], *, always: bool) -> tuple[Image, bool]:
        """The image, and whether it was really pulled now. Raises RuntimeFault."""
        lock, users = self._locks.get(reference, (asyncio.Lock(), 0))
        self._locks[reference] = (lock, users + 1)
        try:
            async with lock:
                if not always or users:
                    found = await self.images.find(reference)
                    if found is not None:
                        return found, False
                async with self._slots:
                    self._pulls += 1
                    return await self.images.pull(reference, auth), True
        finally:
            lock, users = self._locks.pop(reference)
            if users > 1:
                self._locks[reference] = (lock, users - 1)


def registry_of(reference: str) -> str:
    """The registry host of an image reference; 'docker.io' when it names none."""
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "docker.io"


_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def credentials(reference: str, secrets: Iterable[Secret]) -> tuple[ImageAuth, ...]:
    """The credentials for an image's registry in kubernetes.io/dockerconfigjson and dockercfg secrets, in order."""
    found: list[ImageAuth] = []
    for secret in secrets:
        for server, entry in _entries(secret).items():
            if _matches(server, reference):
                auth = _auth(entry)
                if auth is not None and auth not in found:
                    found.append(auth)
    return tuple(found)


def _entries(secret: Secret) -> Mapping[str, Mapping[str, str]]:
    try:
        if secret.type == "kubernetes.io/dockerconfigjson":
            document = msgspec.json.decode(secret.data.get(".dockerconfigjson", b"{}"))
            entries = document.get("auths", {})
        elif secret.type == "kubernetes.io/dockercfg":
            entries = msgspec.json.decode(secret.data.get(".dockercfg", b"{}"))
        else:
            raise ProaError(
                f'secret "{secret.metadata.name}" is of type {secret.type or "Opaque"}: '
                "an image pull secret is of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg"
            )
    except (msgspec.DecodeError, AttributeError) as error:
        raise ProaError(f'image pull secret "{secret.metadata.name}" is not valid JSON: {error}') from error
    return entries if isinstance(entries, Mapping) else {}


def _matches(server: str, reference: str) -> bool:
    host, _, path = server.removeprefix("https://").removeprefix("http://").partition("/")
    wanted = registry_of(reference)
    if host in _DOCKER_HUB:
        return wanted in _DOCKER_HUB
    if host != wanted and not (host.startswith("*.") and wanted.endswith(host[1:])):
        return False
    path = path.rstrip("/")
    below = reference.partition("/")[2]
    return path in ("", "v1", "v2") or below == path or below.startswith((path + "/", path + ":"))


def _auth(entry: Mapping[str, str]) -> ImageAuth | None:
    if entry.get("identitytoken") or entry.get("registrytoken"):
        return ImageAuth(identity_token=entry.get("identitytoken", ""), registry_token=entry.get("registrytoken", ""))
    if entry.get("username"):
        return ImageAuth(username=entry["username"], password=entry.get("password", ""))
    try:
        user, colon, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return ImageAuth(username=user, password=password) if colon else None
