"""What an image is made of: the OCI image-spec documents, and the answers the store gives about them.

Attributes of the documents carry their wire names, because they are read and written as JSON; docker's schema 2 has
the same shapes under other media types. No `from __future__ import annotations` here: msgspec reads the annotations.
"""

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from proa.oci.errors import CorruptContentError, PlatformError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

INDEX_TYPES = (OCI_INDEX, DOCKER_INDEX)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)

_ARCHITECTURES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386", "i386": "386",
    "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
}  # fmt: skip


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""

    def runs_on(self, machine: "Platform") -> bool:
        """Whether an image of this platform runs on `machine`; an unset variant runs on all."""
        same = (self.os, self.architecture) == (machine.os, machine.architecture)
        return same and (not self.variant or not machine.variant or self.variant <= machine.variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A typed pointer to content: image-spec descriptor.md."""

    mediaType: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True):
    """An image index or docker manifest list: one manifest for each platform."""

    manifests: tuple[Descriptor, ...]
    schemaVersion: int = 2
    mediaType: str = OCI_INDEX


class Manifest(msgspec.Struct, frozen=True):
    config: Descriptor
    layers: tuple[Descriptor, ...]
    schemaVersion: int = 2
    mediaType: str = OCI_MANIFEST


class RunConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to run the image: the `config` member of the image configuration (image-spec config.md)."""

    User: str = ""
    ExposedPorts: dict[str, Any] | None = None
    Env: tuple[str, ...] | None = None
    Entrypoint: tuple[str, ...] | None = None
    Cmd: tuple[str, ...] | None = None
    Volumes: dict[str, Any] | None = None
    WorkingDir: str = ""
    Labels: dict[str, str] | None = None
    StopSignal: str = ""


class RootFS(msgspec.Struct, frozen=True):
    """`diff_ids`: digests of the uncompressed layers, lowest first."""

    diff_ids: tuple[str, ...]
    type: str = "layers"


class ImageDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """The image configuration; its digest is the image's ID."""

    architecture: str
    os: str
    rootfs: RootFS
    created: str | None = None
    variant: str = ""
    config: RunConfig | None = None
    history: tuple[dict[str, Any], ...] = ()

    @property
    def platform(self) -> Platform:
        return Platform(self.architecture, self.os, self.variant)


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The run configuration, defaults filled in. `exposed_ports` as '80/tcp'; `user` as written in the image."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image ready to run.

    `id` is the config's digest, `digest_reference` is `repository@digest` as a container status shows it, `lowerdirs`
    are unpacked layers for overlayfs, topmost first, `size` is the content's bytes.
    """

    id: str
    digest_reference: str
    lowerdirs: tuple[Path, ...]
    config: ImageConfig
    size: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of the store. `tags` and `digests` are full references; `size` is the content's bytes."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    user: str = ""
    pinned: bool = False


def native_platform() -> Platform:
    machine = platform.machine()
    variant = {"armv7l": "v7", "armv6l": "v6", "aarch64": "v8"}.get(machine, "")
    return Platform(_ARCHITECTURES.get(machine, machine), "linux", variant)


def choose(manifests: tuple[Descriptor, ...], machine: Platform, name: str) -> Descriptor:
    """The manifest of `machine`'s platform; of several variants the highest it can run.

    Raises PlatformError, which names the platforms there are.
    """
    fits = [m for m in manifests if m.platform is None or m.platform.runs_on(machine)]
    if not fits:
        have = ", ".join(sorted({str(m.platform) for m in manifests})) or "none"
        raise PlatformError(f"no image for platform {machine} in {name}: it has {have}")
    return max(fits, key=lambda m: m.platform.variant if m.platform else "")


def run_config(document: ImageDocument) -> ImageConfig:
    run = document.config or RunConfig()
    pairs = tuple((name, value) for name, _, value in (entry.partition("=") for entry in run.Env or ()))
    return ImageConfig(
        entrypoint=run.Entrypoint or (),
        cmd=run.Cmd or (),
        env=pairs,
        working_dir=run.WorkingDir,
        user=run.User,
        stop_signal=run.StopSignal,
        volumes=tuple(sorted(run.Volumes or ())),
        exposed_ports=tuple(sorted(run.ExposedPorts or ())),
        labels=run.Labels or {},
    )


def parse_manifest(data: bytes, name: str) -> Index | Manifest:
    """The index or image manifest in `data`. Raises CorruptContentError for anything else (also docker's schema 1)."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        if "manifests" in fields:
            return msgspec.json.decode(data, type=Index)
        if "layers" in fields and "config" in fields:
            return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise CorruptContentError(f"manifest of {name} cannot be read: {error}") from error
    what = "docker schema 1, which nobody pushes any more" if "fsLayers" in fields else "neither index nor manifest"
    raise CorruptContentError(f"manifest of {name} is {what}: expected OCI or docker schema 2")


def parse_document(data: bytes, name: str) -> ImageDocument:
    """The image configuration in `data`. Raises CorruptContentError."""
    try:
        return msgspec.json.decode(data, type=ImageDocument)
    except msgspec.DecodeError as error:
        raise CorruptContentError(f"image configuration {name} cannot be read: {error}") from error
