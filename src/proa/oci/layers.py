"""Unpacked layers: `layers/<hex of the diff ID>`, each a lower directory for overlayfs, shared by all images.

A layer is unpacked once, beside its place, and renamed into it, so what stands there is complete. After a crash of the
machine a directory may have been renamed before its files reached the disk: a layer counts as durable only after a
sync of the file system; one that is not, left by an earlier boot, is unpacked again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from proa.oci.content import Content
from proa.oci.errors import CorruptContentError
from proa.oci.unpack import remove_tree, unpack

_DURABLE = "durable"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Layers:
    """The unpacked layers below `root`. Everything here blocks: call it in a thread."""

    def __init__(self, root: Path, content: Content) -> None:
        self._layers = root / "layers"
        self._states = root / "layers.state"
        self._temporary = root / "layers.tmp"
        self._content = content
        self._boot = _BOOT_ID.read_text().strip()
        for directory in (self._layers, self._states, self._temporary):
            directory.mkdir(parents=True, exist_ok=True)
        os.chmod(self._layers, 0o700)  # set-id programs of images are not for the host's users
        os.chmod(self._temporary, 0o700)
        self.unpacked = 0
        self.unpacked_bytes = 0

    def path(self, diff_id: str) -> Path:
        return self._layers / diff_id.partition(":")[2]

    def has(self, diff_id: str) -> bool:
        """Whether the layer is unpacked and can be trusted: synced to disk, or of this boot."""
        return self._state(diff_id) in (_DURABLE, self._boot) and self.path(diff_id).is_dir()

    def durable(self, diff_id: str) -> bool:
        """Whether the layer will survive a crash of the machine."""
        return self._state(diff_id) == _DURABLE

    def ensure(self, diff_id: str, blob: str) -> Path:
        """The directory of the layer `diff_id`, unpacked from `blob` when it is not there yet."""
        target = self.path(diff_id)
        if self.has(diff_id):
            return target
        work = self._temporary / uuid4().hex
        try:
            with self._content.path(blob).open("rb", buffering=0) as source:
                done = unpack(source, work, f"layer {blob}")
            if done.diff_id != diff_id:
                raise CorruptContentError(f"layer {blob} has diff ID {done.diff_id}, its image says {diff_id}")
            self._publish(work, target)
        except FileNotFoundError:
            raise CorruptContentError(
                f"layer {blob} is missing from the image store: pull or import it again"
            ) from None
        finally:
            if work.exists():
                remove_tree(work)
        self.unpacked += 1
        self.unpacked_bytes += done.size
        return target

    def sync(self) -> int:
        """Bring layers of this boot to disk and mark them durable; how many. Cheap when the kernel has written them."""
        fresh = [state for state in self._states.iterdir() if state.read_text() == self._boot]
        if fresh:
            os.sync()
            for state in fresh:
                state.write_text(_DURABLE)
        return len(fresh)

    def all(self) -> Iterator[str]:
        """The diff IDs of the layers there are."""
        for entry in os.scandir(self._layers):
            yield f"sha256:{entry.name}"

    def delete(self, diff_id: str) -> None:
        path = self.path(diff_id)
        (self._states / path.name).unlink(missing_ok=True)
        if path.is_dir():
            self._discard(path)

    def clean(self) -> None:
        """Remove what interrupted work has left. Only while nobody unpacks (the store's exclusive lock)."""
        for entry in os.scandir(self._temporary):
            remove_tree(entry.path)

    def _state(self, diff_id: str) -> str:
        try:
            return (self._states / self.path(diff_id).name).read_text()
        except FileNotFoundError:
            return ""

    def _publish(self, work: Path, target: Path) -> None:
        if target.exists() and not self.has(f"sha256:{target.name}"):
            self._discard(target)
        try:
            os.rename(work, target)
        except OSError:
            if not target.is_dir():  # else another process has been faster: its layer is as good
                raise
        (self._states / target.name).write_text(self._boot)

    def _discard(self, path: Path) -> None:
        """Out of its place in one step, then deleted."""
        grave = self._temporary / uuid4().hex
        os.rename(path, grave)
        remove_tree(grave)
