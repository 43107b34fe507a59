"""Images in files: import of `docker save` and OCI layout archives, and export.

An archive is read once, front to back; what it says about its content may come last, so every file is stored by its
digest on the way and put together at the end. Content the store already has is skipped, not read, when the archive is
not compressed. Only this machine's manifest of an index and its content need be in it.
"""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import msgspec

from proa.oci import reference
from proa.oci.content import CHUNK, BlobWriter, Content
from proa.oci.errors import CorruptContentError, ImageError
from proa.oci.model import OCI_CONFIG, OCI_INDEX, OCI_LAYER, Descriptor, Index, Manifest, choose, parse_manifest
from proa.oci.reference import Reference
from proa.oci.store import Image, ImageStore
from proa.oci.stream import LayerReader, compression

_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_BLOBS = "blobs/"


class _Source(Protocol):
    """What is read front to back: a compressed archive, or a plain file whose skipped parts cost nothing."""

    def read(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...
    def seek(self, position: int, /) -> int: ...


class _DockerImage(msgspec.Struct, frozen=True):
    """One image in docker's manifest.json: paths in the archive."""

    Config: str
    Layers: tuple[str, ...]
    RepoTags: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Archive:
    """What was found: files by path as digests and sizes, links by path."""

    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def find(self, path: str) -> tuple[str, int]:
        path = self.links.get(path, path)
        if path not in self.files:
            raise CorruptContentError(f"the archive lacks {path}, which it refers to")
        return self.files[path]


async def load(store: ImageStore, path: Path, *, name: str = "") -> tuple[Image, ...]:
    """Import the images of the archive at `path` and unpack them.

    `name` names an archive's only image when the archive does not, or renames it. Raises CorruptContentError,
    PlatformError, InvalidImageNameError.
    """
    wanted = [reference.parse(name)] if name else []
    async with store.adding():
        found = await store.run(_read, store, path)
        if wanted and len(found) != 1:
            raise ImageError(f"{path} holds {len(found)} images: a name can be given for one only")
        images = []
        for digest, names in found:
            if not (wanted or names):
                raise ImageError(f"{path} does not name its image: give a name for it")
            image = await store.name(wanted or names, digest)
            await store.unpack(image)
            images.append(image)
    return tuple(images)


async def save(store: ImageStore, references: Sequence[str], path: Path) -> None:
    """Write the images to `path` as an OCI layout archive that docker loads, too (this machine's manifests only)."""
    async with store.adding():
        pairs = [(reference.parse(text), await store.load(text)) for text in references]
        await store.run(_write, store.content, pairs, path)


def _read(store: ImageStore, path: Path) -> list[tuple[str, list[Reference]]]:
    """The manifests (or indexes) in the archive, their content stored, with the names the archive gives them."""
    try:
        with path.open("rb", buffering=0) as file:
            source: _Source = LayerReader(file, str(path)) if compression(file) else file
            archive = _collect(store.content, source)
    except tarfile.TarError as error:
        raise CorruptContentError(f"{path} is not a tar archive: {error}") from error
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist: expected a docker or OCI image archive") from None
    if not {"index.json", "manifest.json"} & archive.files.keys():
        raise CorruptContentError(f"{path} is no image archive: it has neither index.json nor manifest.json")
    found = _oci_images(store, archive) if "index.json" in archive.files else []
    if "manifest.json" in archive.files and not any(names for _, names in found):
        found = _docker_images(store.content, archive)
    return found


def _collect(content: Content, source: _Source) -> _Archive:
    archive = _Archive()
    with tarfile.open(fileobj=cast(BinaryIO, source), mode="r:") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # tarfile would remember every header
            path = posixpath.normpath(member.name)
            if member.isreg():
                archive.files[path] = _store(content, source, path, member.size), member.size
            elif member.issym():
                archive.links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            elif member.islnk():
                archive.links[path] = posixpath.normpath(member.linkname)
            source.seek(tar.offset)
    return archive


def _store(content: Content, source: _Source, path: str, size: int) -> str:
    """Store the member the source stands at; its digest. A blob that is there is believed by its name."""
    named = path.removeprefix(_BLOBS).replace("/", ":") if path.startswith(_BLOBS) else ""
    expected = named if reference.is_digest(named) else ""
    if expected and content.size(expected) == size:
        return expected
    with BlobWriter(content, expected) as writer:
        left = size
        while left:
            data = source.read(min(left, CHUNK))
            if not data:
                raise CorruptContentError(f"the archive ends in the middle of {path}")
            writer.write(data)
            left -= len(data)
        return writer.commit()


def _oci_images(store: ImageStore, archive: _Archive) -> list[tuple[str, list[Reference]]]:
    index = parse_manifest(store.content.read(archive.files["index.json"][0]), "index.json")
    if not isinstance(index, Index):
        raise CorruptContentError("index.json of the archive is not an image index")
    by_platform = all(entry.platform is not None and not _names(entry) for entry in index.manifests)
    if by_platform and len(index.manifests) > 1:  # one image, for several platforms
        return [(choose(index.manifests, store.machine, "index.json").digest, [])]
    names: dict[str, list[Reference]] = {}
    for entry in index.manifests:
        names.setdefault(entry.digest, []).extend(_names(entry))
    return list(names.items())


def _names(entry: Descriptor) -> list[Reference]:
    """What the archive calls a manifest. A bare tag, as `org.opencontainers.image.ref.name` may be, names nothing."""
    text = entry.annotations.get(_NAME) or entry.annotations.get(_REF_NAME, "")
    return [reference.parse(text)] if "/" in text or ":" in text else []


def _docker_images(content: Content, archive: _Archive) -> list[tuple[str, list[Reference]]]:
    """docker's older form has no manifests: they are made here."""
    data = content.read(archive.files["manifest.json"][0])
    try:
        listed = msgspec.json.decode(data, type=tuple[_DockerImage, ...])
    except msgspec.DecodeError as error:
        raise CorruptContentError(f"manifest.json of the archive cannot be read: {error}") from error
    found = []
    for image in listed:
        config = Descriptor(OCI_CONFIG, *archive.find(posixpath.normpath(image.Config)))
        layers = []
        for path in image.Layers:
            digest, size = archive.find(posixpath.normpath(path))
            with content.path(digest).open("rb") as file:
                form = compression(file)
            layers.append(Descriptor(f"{OCI_LAYER}+{form}" if form else OCI_LAYER, digest, size))
        manifest = content.add(msgspec.json.encode(Manifest(config, tuple(layers))))
        found.append((manifest, [reference.parse(tag) for tag in image.RepoTags or ()]))
    return found


def _write(content: Content, pairs: list[tuple[Reference, Image]], path: Path) -> None:
    entries, listed = [], []
    blobs: dict[str, None] = {}
    for name, image in pairs:
        manifest = image.manifest
        annotations = {_NAME: str(name), _REF_NAME: name.tag} if name.tag else {}
        size = content.size(image.manifest_digest)
        platform = image.document.platform
        entries.append(Descriptor(manifest.mediaType, image.manifest_digest, size, platform, annotations))
        layers = [layer.digest for layer in manifest.layers]
        tags = (name.familiar,) if name.tag else ()
        listed.append(_DockerImage(_member(image.id), tuple(map(_member, layers)), tags))
        blobs |= dict.fromkeys((image.manifest_digest, image.id, *layers))
    index = msgspec.json.encode(Index(tuple(entries), mediaType=OCI_INDEX))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, "oci-layout", _LAYOUT)
            _add(tar, "index.json", index)
            _add(tar, "manifest.json", msgspec.json.encode(listed))
            for digest in sorted(blobs):
                info = tarfile.TarInfo(_member(digest))
                info.size = content.size(digest)
                with content.path(digest).open("rb") as file:
                    tar.addfile(info, file)
        os.rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _member(digest: str) -> str:
    return _BLOBS + digest.replace(":", "/")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
