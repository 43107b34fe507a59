"""Pulling an image: endpoints in order, layers side by side, retries, and each download once however many ask.

The documents come first, from the first endpoint that has them; then the layers, each unpacked as soon as it is
complete while others still download. A cut connection is resumed where it stopped, also by a later pull.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from proa.aio.backoff import Backoff
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.oci import reference as references
from proa.oci.content import BlobWriter
from proa.oci.errors import (
    CorruptContentError,
    ImageError,
    ManifestUnknownError,
    RateLimitedError,
    RegistryUnavailableError,
    UnauthorizedError,
)
from proa.oci.model import Descriptor, Index, Manifest, choose, parse_manifest
from proa.oci.reference import Reference
from proa.oci.registries import Credentials, Endpoint, Registries, endpoints
from proa.oci.registry import Client, InterruptedDownloadError
from proa.oci.store import Image, ImageStore

log = logging.getLogger(__name__)

K = TypeVar("K")
T = TypeVar("T")

_ATTEMPTS = 3
_BACKOFF = Backoff(base=0.2, factor=3.0, cap=5.0, jitter=0.2)


@dataclass(frozen=True, slots=True)
class Progress:
    """A layer came closer: `done` of `total` bytes of `digest`; `unpacked` when it is ready to use."""

    digest: str
    done: int
    total: int
    unpacked: bool = False


class Puller:
    """Pulls into `store`. `parallel` limits the downloads at one time, over all pulls."""

    def __init__(
        self, store: ImageStore, registries: Registries | None = None, *, parallel: int = 4, backoff: Backoff = _BACKOFF
    ) -> None:
        self._store = store
        self._registries = registries or Registries()
        self._client = Client()
        self._downloads = asyncio.Semaphore(parallel)
        self._backoff = backoff
        self._scope = TaskScope("oci-pull", on_error=_told_the_waiters)
        self._pulls: dict[tuple[str, tuple[Credentials, ...]], asyncio.Task[Image]] = {}
        self._layers: dict[str, asyncio.Task[None]] = {}
        self._pulled = 0
        self._failed = 0

    async def pull(
        self, reference: str, auth: Sequence[Credentials] = (), *, progress: Callable[[Progress], None] | None = None
    ) -> Image:
        """Bring the image into the store, named and unpacked. Who asks for one being pulled joins that pull.

        `auth` are tried in order before configured credentials. Raises ImageError and its kinds, with their `reason`.
        """
        wanted = references.parse(reference)
        key = (str(wanted), tuple(auth))
        return await self._once(self._pulls, key, lambda: self._pull(wanted, tuple(auth), progress))

    def statistics(self) -> dict[str, int]:
        return {
            "pulled": self._pulled,
            "failed": self._failed,
            "pulling": len(self._pulls),
            "requests": self._client.requests,
            "bytes_downloaded": self._client.bytes_downloaded,
        }

    async def close(self) -> None:
        """Give up pulls that run; partial layers stay for the next."""
        await self._scope.close()
        await self._client.close()

    async def _once(self, running: dict[K, asyncio.Task[T]], key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = running.get(key)
        if task is None:
            task = running[key] = self._scope.spawn(work(), name=str(key))
            task.add_done_callback(lambda _: running.pop(key, None))
        return await asyncio.shield(task)  # one who gives up must not spoil it for the others

    async def _pull(
        self, wanted: Reference, auth: tuple[Credentials, ...], progress: Callable[[Progress], None] | None
    ) -> Image:
        places = endpoints(self._registries, wanted, auth)
        try:
            async with self._store.adding():
                root = await self._documents(places, wanted)
                image = await self._store.load_documents(root)
                pairs = zip(image.document.rootfs.diff_ids, image.manifest.layers, strict=True)
                async with asyncio.TaskGroup() as group:
                    for diff_id, layer in pairs:
                        group.create_task(self._layer(places, diff_id, layer, progress))
                await self._store.name([wanted], root)
        except (BaseExceptionGroup, ImageError, OSError) as failure:
            self._failed += 1
            error = _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
            if isinstance(error, OSError):
                error = ImageError(f"{wanted.familiar} cannot be stored in {self._store.root}: {error}")
            if error is failure:
                raise
            raise error from failure
        self._pulled += 1
        return image

    async def _documents(self, places: tuple[Endpoint, ...], wanted: Reference) -> str:
        """Manifests and configuration into the store; the root's digest."""
        content, run = self._store.content, self._store.run

        async def manifest(place: Endpoint, target: str) -> tuple[str, Index | Manifest]:
            data, _ = await self._client.manifest(place, target)
            return await run(content.add, data), parse_manifest(data, f"{wanted} from {place.host}")

        async def fetch(place: Endpoint) -> str:
            root, found = await manifest(place, wanted.target)
            if isinstance(found, Index):
                _, found = await manifest(place, choose(found.manifests, self._store.machine, str(wanted)).digest)
            if isinstance(found, Index):
                raise CorruptContentError(f"{wanted} is an index of indexes: expected image manifests")
            await self._blob((place,), found.config, None)
            return root

        return await self._anywhere(places, fetch)

    async def _layer(
        self, places: tuple[Endpoint, ...], diff_id: str, layer: Descriptor, progress: Callable[[Progress], None] | None
    ) -> None:
        if not self._store.content.has(layer.digest):
            await self._once(self._layers, layer.digest, lambda: self._blob(places, layer, progress))
        await self._store.layer(diff_id, layer)
        if progress is not None:
            progress(Progress(layer.digest, layer.size, layer.size, unpacked=True))

    async def _blob(
        self, places: tuple[Endpoint, ...], wanted: Descriptor, progress: Callable[[Progress], None] | None
    ) -> None:
        content, run = self._store.content, self._store.run
        if content.has(wanted.digest):
            return

        def report(done: int) -> None:
            if progress is not None:
                progress(Progress(wanted.digest, done, wanted.size))

        async def fetch(place: Endpoint) -> None:
            writer = await run(BlobWriter, content, wanted.digest, resumable=True)
            with writer:
                await self._client.blob(place, wanted, writer, self._store, lambda: report(writer.offset))
                await run(writer.commit)

        async with self._downloads:
            await self._anywhere(places, fetch)

    async def _anywhere(self, places: tuple[Endpoint, ...], fetch: Callable[[Endpoint], Awaitable[T]]) -> T:
        """From the first place that gives it. Raises the last place's error: that is the registry itself."""
        for place in places[:-1]:
            try:
                return await self._patiently(place, fetch, attempts=1)
            except ImageError as error:
                log.info("mirror %s: %s", place.url, error)
        return await self._patiently(places[-1], fetch, attempts=_ATTEMPTS)

    async def _patiently(self, place: Endpoint, fetch: Callable[[Endpoint], Awaitable[T]], attempts: int) -> T:
        """Again after a failure that may pass. A download that got further has not failed."""
        failures = 0
        while True:
            try:
                return await fetch(place)
            except RegistryUnavailableError as error:
                if isinstance(error, InterruptedDownloadError) and error.progress:
                    failures = 0
                    log.info("%s: resuming: %s", place.url, error)
                    continue
                failures += 1
                if failures >= attempts:
                    raise
                await asyncio.sleep(self._backoff.delay(failures - 1))


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to show; one of ours, that says what to do, before others."""
    order = (RateLimitedError, UnauthorizedError, ManifestUnknownError, ImageError, BaseException)
    flat = list(_flat(failures))
    return min(flat, key=lambda error: next(n for n, kind in enumerate(order) if isinstance(error, kind)))


def _flat(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for failure in failures.exceptions:
        found += _flat(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found


def _told_the_waiters(failure: TaskFailedError) -> None:
    """Those who asked get the error itself."""
    log.debug("%s", failure)
