"""The CRI's image service over the OCI layer, and images as the embedded runtime wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proa.oci.errors import ImageError, ImageNotFoundError
from proa.oci.store import ImageStore
from proa.runtime.protocol import Image, ImageAuth, NotFoundError, RuntimeFault

if TYPE_CHECKING:
    from proa.oci.model import ImageSummary
    from proa.oci.pull import Puller


@dataclass(frozen=True, slots=True)
class RunnableImage:
    """An image ready to be a container's root (`embedded.collaborators.ResolvedImage`)."""

    id: str
    digest_reference: str
    lowerdirs: tuple[Path, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    working_dir: str
    user: str
    stop_signal: str
    volumes: tuple[str, ...]


class OciImages:
    """Implements `protocol.Images` and the embedded runtime's `ImageStore`.

    The puller, and with it the HTTP client, is made on the first pull.
    """

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._puller: Puller | None = None

    async def pull(self, reference: str, auth: Sequence[ImageAuth] = ()) -> Image:
        from proa.oci.registries import Credentials

        credentials = [
            Credentials(
                username=each.username,
                password=each.password,
                identity_token=each.identity_token,
                registry_token=each.registry_token,
            )
            for each in auth
        ]
        try:
            await self._opened().pull(reference, auth=credentials)
        except ImageError as error:
            raise RuntimeFault(str(error), error.reason) from error
        found = await self.find(reference)
        if found is None:
            raise RuntimeFault(f"image {reference} was removed while it was pulled", "ErrImagePull")
        return found

    async def resolve(self, reference: str) -> RunnableImage:
        """The image with its layers unpacked. Raises NotFoundError when it is not on this machine."""
        try:
            found = await self._store.resolve(reference)
        except ImageNotFoundError as error:
            raise NotFoundError(str(error)) from error
        except ImageError as error:
            raise RuntimeFault(str(error), error.reason) from error
        config = found.config
        return RunnableImage(
            id=found.id,
            digest_reference=found.digest_reference,
            lowerdirs=found.lowerdirs,
            entrypoint=config.entrypoint,
            cmd=config.cmd,
            env=config.env,
            working_dir=config.working_dir,
            user=config.user,
            stop_signal=config.stop_signal,
            volumes=config.volumes,
        )

    async def find(self, reference: str) -> Image | None:
        try:
            found = await self._store.find(reference)
        except ImageError as error:
            raise RuntimeFault(str(error), error.reason) from error
        return _image(found) if found is not None else None

    async def images(self) -> Sequence[Image]:
        return [_image(each) for each in await self._store.images()]

    async def remove(self, reference: str) -> None:
        try:
            await self._store.remove(reference)
        except ImageError as error:
            raise RuntimeFault(str(error), error.reason) from error

    async def disk_usage(self) -> int:
        return await self._store.disk_usage()

    async def close(self) -> None:
        if self._puller is not None:
            await self._puller.close()
        await self._store.close()

    def _opened(self) -> Puller:
        if self._puller is None:
            from proa.oci.pull import Puller

            self._puller = Puller(self._store)
        return self._puller


def _image(summary: ImageSummary) -> Image:
    return Image(summary.id, summary.tags, summary.digests, summary.size, summary.user)
