"""The image store: one directory of images, shared by clusters and processes on a machine.

    blobs/  ingest/           content (see `content`)
    layers/ layers.state/     unpacked layers (see `layers`)
    images.json images.lock   names and pins (see `catalog`)
    gc.lock                   held shared while content is added or used unnamed, exclusively while it is deleted

An image's ID is the digest of its configuration. A name points at an index or a manifest; of an index only this
machine's manifest need be present. Content stays as long as a name or a pin leads to it. The async methods run their
blocking work in the store's own threads; a pull, an import or a pack adds content under `adding()` and then `name()`s
it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from proa.oci import reference as references
from proa.oci.catalog import Catalog, Entries, lock, try_lock
from proa.oci.content import Content
from proa.oci.errors import CorruptContentError, ImageError, ImageNotFoundError
from proa.oci.layers import Layers
from proa.oci.model import (
    Descriptor,
    ImageDocument,
    ImageSummary,
    Index,
    Manifest,
    Platform,
    ResolvedImage,
    choose,
    native_platform,
    parse_document,
    parse_manifest,
    run_config,
)
from proa.oci.reference import Reference

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
# Fresh layers are synced to disk this long (seconds) after their first use.
_SYNC_DELAY = 60.0
# Partial downloads are kept this long (seconds) for a pull to go on where it stopped.
_PARTIAL_KEPT = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Image:
    """The documents of one image. `root` is what its name points at: an index, or the manifest itself."""

    root: str
    manifest_digest: str
    manifest: Manifest
    document: ImageDocument
    index: Index | None = None

    @property
    def id(self) -> str:
        return self.manifest.config.digest

    @property
    def size(self) -> int:
        return self.manifest.config.size + sum(layer.size for layer in self.manifest.layers)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a garbage collection freed. `deferred`: somebody was adding content, nothing was deleted."""

    blobs: int = 0
    layers: int = 0
    bytes: int = 0
    deferred: bool = False


class ImageStore:
    """The store at `root` (made when missing)."""

    def __init__(self, root: Path, *, machine: Platform | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.machine = machine or native_platform()
        self.content = Content(root)
        self._catalog = Catalog(root)
        self._layers = Layers(root, self.content)
        self._gc_lock = root / "gc.lock"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="proa-oci")
        self._unpacking: dict[str, asyncio.Future[Path]] = {}
        self._images: dict[str, Image] = {}
        self._sync_timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Future[int] | None = None
        self._collect_wanted = False
        self._resolved = 0
        self._collected = Collected()

    # What there is

    async def resolve(self, reference: str, *, pin: str = "") -> ResolvedImage:
        """The image of a reference or image ID, with its layers unpacked; nothing is downloaded.

        `pin` names the owner (a sandbox or container ID) that uses it from now on, until `unpin`.
        Raises InvalidImageNameError, ImageNotFoundError, CorruptContentError.
        """
        async with self.adding():
            image, names = await self.run(self._lookup, reference)
            if pin:
                await self.run(self._pin, pin, image.manifest_digest)
            lowerdirs = await self._lowerdirs(image)
        self._resolved += 1
        return ResolvedImage(
            id=image.id,
            digest_reference=_digest_reference(reference, image, names),
            lowerdirs=lowerdirs,
            config=run_config(image.document),
            size=image.size,
            tags=tuple(name for name in names if "@" not in name),
        )

    async def find(self, reference: str) -> ImageSummary | None:
        """The image of a reference or image ID, or None. Raises InvalidImageNameError."""
        try:
            image, _ = await self.run(self._lookup, reference)
        except ImageNotFoundError:
            return None
        return next((i for i in await self.images() if i.id == image.id), None)

    async def images(self) -> tuple[ImageSummary, ...]:
        """Every image that has a name or a pin, ordered by its first tag."""
        return await self.run(self._summaries)

    async def load(self, reference: str) -> Image:
        """The documents of an image of the store. Raises as `resolve`."""
        image, _ = await self.run(self._lookup, reference)
        return image

    async def disk_usage(self) -> int:
        """Bytes allocated on disk for content and unpacked layers."""
        return await self.run(_allocated, self.root)

    def statistics(self) -> dict[str, int]:
        entries = self._catalog.read()
        return {
            "names": len(entries.names),
            "pins": len(entries.pins),
            "resolved": self._resolved,
            "layers_unpacked": self._layers.unpacked,
            "bytes_unpacked": self._layers.unpacked_bytes,
            "blobs_collected": self._collected.blobs,
            "layers_collected": self._collected.layers,
            "bytes_collected": self._collected.bytes,
        }

    # Changes

    async def name(self, names: Iterable[Reference], digest: str) -> Image:
        """Let `names` point at the index or manifest `digest`, whose content has been added. The image."""
        image = await self.run(self._image, digest)
        keys = [str(name.pinned(name.digest) if name.digest else name) for name in names]

        def edit(old: Entries) -> Entries:
            return msgspec.structs.replace(old, names=old.names | dict.fromkeys(keys, digest))

        await self.run(self._catalog.change, edit)
        return image

    async def tag(self, source: str, target: str) -> None:
        """A further name for an image of the store."""
        image, _ = await self.run(self._lookup, source)
        await self.name([references.parse(target)], image.root)

    async def unpack(self, image: Image) -> None:
        """Unpack the image's layers now rather than when a container needs them."""
        await self._lowerdirs(image)

    async def remove(self, reference: str) -> Collected:
        """Forget a tag; by digest or image ID, all names of the image. Then collect garbage.

        An image in use loses its names; its layers stay until the last pin goes. Raises ImageNotFoundError.
        """
        gone = await self.run(self._names_to_remove, reference)

        def edit(old: Entries) -> Entries:
            return msgspec.structs.replace(old, names={n: d for n, d in old.names.items() if n not in gone})

        await self.run(self._catalog.change, edit)
        return await self.collect_garbage()

    async def pin(self, owner: str, reference: str) -> None:
        """Keep the image's content while `owner` (a sandbox or container ID) lives, whatever its names become."""
        async with self.adding():
            image, _ = await self.run(self._lookup, reference)
            await self.run(self._pin, owner, image.manifest_digest)

    async def unpin(self, owner: str) -> None:
        """`owner` uses no image any more. Idempotent."""

        def edit(old: Entries) -> Entries:
            return msgspec.structs.replace(old, pins={o: d for o, d in old.pins.items() if o != owner})

        await self.run(self._catalog.change, edit)

    async def pins(self) -> frozenset[str]:
        """The owners that pin an image, for a runtime to reconcile after a crash."""
        return frozenset((await self.run(self._catalog.read)).pins)

    async def collect_garbage(self) -> Collected:
        """Delete content and layers no name or pin leads to; deferred until nobody adds content."""
        done = await self.run(self._collect)
        self._collect_wanted = done.deferred
        if not done.deferred:
            total = self._collected
            self._collected = Collected(total.blobs + done.blobs, total.layers + done.layers, total.bytes + done.bytes)
        return done

    async def close(self) -> None:
        """Wait for the store's threads."""
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        if self._syncing is not None:
            await self._syncing
        await asyncio.to_thread(self._threads.shutdown)

    # For what adds content

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work in the store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[None]:
        """While inside, no process deletes content: what is added may be without a name for a while."""
        # Not in the store's threads: a collection may run there and hold the lock.
        held = await asyncio.to_thread(lock, self._gc_lock, shared=True)
        try:
            yield
        finally:
            os.close(held)
        if self._collect_wanted:
            await self.collect_garbage()

    async def load_documents(self, root: str) -> Image:
        """The documents of the index or manifest `root`, whose content has been added."""
        return await self.run(self._image, root)

    # In the store's threads

    def _image(self, root: str) -> Image:
        """The documents `root` leads to, remembered: they are immutable."""
        known = self._images.get(root)
        if known is None:
            known = self._images[root] = self._read_image(root)
        return known

    def _readable(self, roots: Iterable[str]) -> dict[str, Image]:
        """The images `roots` lead to. One that is damaged must not make the others unusable: it is left out."""
        found = {}
        for root in roots:
            if root not in found:
                try:
                    found[root] = self._image(root)
                except ImageError as error:
                    log.warning("image store %s: %s", self.root, error)
        return found

    def _read_image(self, root: str) -> Image:
        found = parse_manifest(self.content.read(root), root)
        index, digest = None, root
        if isinstance(found, Index):
            index, digest = found, choose(found.manifests, self.machine, root).digest
            found = parse_manifest(self.content.read(digest), digest)
        if isinstance(found, Index):
            raise CorruptContentError(f"{root} is an index of indexes: expected an index of image manifests")
        document = parse_document(self.content.read(found.config.digest), found.config.digest)
        return Image(root, digest, found, document, index)

    def _lookup(self, reference: str) -> tuple[Image, tuple[str, ...]]:
        """The image and all its names."""
        entries = self._catalog.read()
        if references.is_image_id(reference):
            wanted = f"sha256:{reference.removeprefix('sha256:')}"
            for image in self._readable(_roots(entries)).values():
                if wanted in (image.id, image.root, image.manifest_digest):
                    return image, self._names(entries, image)
            raise ImageNotFoundError(f"no image with ID {wanted} in the image store")
        parsed = references.parse(reference)
        found = _root(entries, parsed)
        if found is None:
            raise ImageNotFoundError(f"image {parsed.familiar} is not in the image store: pull, import or pack it")
        image = self._image(found)
        return image, self._names(entries, image)

    def _names_to_remove(self, reference: str) -> set[str]:
        wanted = None if references.is_image_id(reference) else references.parse(reference)
        try:
            image, names = self._lookup(reference)
        except CorruptContentError:
            if wanted is None or not wanted.tag:
                raise
            return {wanted.tagged}  # damaged: to remove it is the way to mend it
        if not names:
            raise ImageNotFoundError(f"image {image.id} has no name to remove: a container still uses it")
        if wanted is None or wanted.digest:
            return set(names)
        others = set(names) - {wanted.tagged}
        # The last tag takes the digests along.
        return {wanted.tagged} if any("@" not in name for name in others) else set(names)

    def _names(self, entries: Entries, image: Image) -> tuple[str, ...]:
        images = self._readable(entries.names.values())
        return tuple(sorted(n for n, root in entries.names.items() if root in images and images[root].id == image.id))

    def _summaries(self) -> tuple[ImageSummary, ...]:
        entries = self._catalog.read()
        pinned = {digest for digests in entries.pins.values() for digest in digests}
        readable = self._readable(_roots(entries))
        images = {image.id: image for image in readable.values()}
        in_use = {image.id for root, image in readable.items() if root in pinned}
        summaries = []
        for image in images.values():
            names = self._names(entries, image)
            user = run_config(image.document).user
            tags = tuple(name for name in names if "@" not in name)
            digests = tuple(dict.fromkeys(str(references.parse(name).pinned(entries.names[name])) for name in names))
            summaries.append(ImageSummary(image.id, tags, digests, image.size, user, image.id in in_use))
        return tuple(sorted(summaries, key=lambda s: (s.tags, s.digests, s.id)))

    def _pin(self, owner: str, digest: str) -> None:
        def edit(old: Entries) -> Entries:
            digests = tuple(dict.fromkeys((*old.pins.get(owner, ()), digest)))
            return msgspec.structs.replace(old, pins=old.pins | {owner: digests})

        self._catalog.change(edit)

    async def _lowerdirs(self, image: Image) -> tuple[Path, ...]:
        """The unpacked layers, topmost first; missing ones are unpacked side by side, each once."""
        diff_ids = image.document.rootfs.diff_ids
        pairs = zip(diff_ids, image.manifest.layers, strict=True)
        paths = await asyncio.gather(*(self.layer(diff_id, layer) for diff_id, layer in pairs))
        if not all(self._layers.durable(diff_id) for diff_id in diff_ids):
            self._sync_later()
        return tuple(dict.fromkeys(reversed(paths)))

    def _sync_later(self) -> None:
        """When the kernel has written most of it anyway: a sync now would hold up every other writer of the disk."""
        if self._sync_timer is None:
            self._sync_timer = asyncio.get_running_loop().call_later(_SYNC_DELAY, self._sync)

    def _sync(self) -> None:
        self._sync_timer = None
        self._syncing = asyncio.ensure_future(self.run(self._layers.sync))

    async def layer(self, diff_id: str, layer: Descriptor) -> Path:
        """The directory of one layer, unpacked when it is not; side by side with others, each once."""
        if self._layers.has(diff_id):
            return self._layers.path(diff_id)
        waiting = self._unpacking.get(diff_id)
        if waiting is None:
            waiting = asyncio.ensure_future(self.run(self._layers.ensure, diff_id, layer.digest))
            self._unpacking[diff_id] = waiting
            waiting.add_done_callback(partial(self._unpacking_ended, diff_id))
        return await asyncio.shield(waiting)

    def _unpacking_ended(self, diff_id: str, ended: asyncio.Future[Path]) -> None:
        self._unpacking.pop(diff_id, None)
        if not ended.cancelled():
            ended.exception()  # seen, also when everybody who waited has been cancelled

    def _collect(self) -> Collected:
        held = try_lock(self._gc_lock)
        if held is None:
            return Collected(deferred=True)
        try:
            blobs, layers = self._reachable(self._catalog.read())
            dead_blobs = [digest for digest in self.content.all() if digest not in blobs]
            dead_layers = [diff_id for diff_id in self._layers.all() if diff_id not in layers]
            freed = sum(_allocated(self._layers.path(diff_id)) for diff_id in dead_layers)
            for diff_id in dead_layers:
                self._layers.delete(diff_id)
            freed += sum(self.content.delete(digest) for digest in dead_blobs)
            self._images = {root: image for root, image in self._images.items() if root in blobs}
            self._layers.clean()
            _expire(self.content.ingest)
            return Collected(len(dead_blobs), len(dead_layers), freed)
        finally:
            os.close(held)

    def _reachable(self, entries: Entries) -> tuple[set[str], set[str]]:
        blobs: set[str] = set()
        layers: set[str] = set()
        roots = _roots(entries)
        blobs |= roots
        for image in self._readable(roots).values():
            blobs |= {image.manifest_digest, image.id, *(layer.digest for layer in image.manifest.layers)}
            layers |= set(image.document.rootfs.diff_ids)
        return blobs, layers


def _roots(entries: Entries) -> set[str]:
    """Every index and manifest that something leads to."""
    return {*entries.names.values(), *(digest for digests in entries.pins.values() for digest in digests)}


def _root(entries: Entries, wanted: Reference) -> str | None:
    """What `wanted` points at. A digest is also found behind any tag of its repository."""
    if not wanted.digest:
        return entries.names.get(wanted.tagged)
    if (found := entries.names.get(str(wanted.pinned(wanted.digest)))) is not None:
        return found
    for name, root in entries.names.items():
        if root == wanted.digest and references.parse(name).repository == wanted.repository:
            return root
    return None


def _digest_reference(reference: str, image: Image, names: tuple[str, ...]) -> str:
    """`repository@digest`: of the repository that was asked for, else of any name."""
    if not references.is_image_id(reference):
        return str(references.parse(reference).pinned(image.root))
    return str(references.parse(names[0]).pinned(image.root)) if names else image.id


def _expire(ingest: Path) -> None:
    oldest = time.time() - _PARTIAL_KEPT
    for entry in os.scandir(ingest):
        if not entry.name.endswith(".partial") or entry.stat().st_mtime < oldest:
            os.unlink(entry.path)


def _allocated(path: Path) -> int:
    """Bytes allocated below `path`, each inode once."""
    seen: set[int] = set()
    total = 0
    todo = [os.fspath(path)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
    return total
