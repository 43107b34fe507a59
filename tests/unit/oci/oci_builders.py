"""Layers and images made in memory, for the tests of this package."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from proa.oci.model import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, native_platform


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, **{"type": tarfile.DIRTYPE, "mode": 0o755} | fields)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def layer(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(kind: str, data: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(data), "size": len(data), **more}


class ImageContent:
    """An image of the given layers: `blobs` by digest, `manifest` and `index` as bytes."""

    def __init__(self, *layers: bytes, config: dict[str, Any] | None = None, compressed: bool = True) -> None:
        machine = native_platform()
        document = {
            "architecture": machine.architecture,
            "os": "linux",
            "config": config or {"Cmd": ["/bin/app"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
        }
        self.config = json.dumps(document).encode()
        kind = f"{OCI_LAYER}+gzip" if compressed else OCI_LAYER
        self.layers = [gzip.compress(data, mtime=0) if compressed else data for data in layers]
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(OCI_CONFIG, self.config),
                "layers": [descriptor(kind, data) for data in self.layers],
            }
        ).encode()
        foreign = {"mediaType": OCI_MANIFEST, "digest": digest(b"foreign"), "size": 7}
        self.index = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [
                    foreign | {"platform": {"os": "plan9", "architecture": "mips"}},
                    descriptor(
                        OCI_MANIFEST, self.manifest, platform={"os": "linux", "architecture": machine.architecture}
                    ),
                ],
            }
        ).encode()
        self.blobs = {digest(data): data for data in (self.config, *self.layers)}
        self.id = digest(self.config)
