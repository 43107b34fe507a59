"""A directory whose files change all at once: what configMap, secret, downwardAPI and projected volumes are.

The files are in a timestamped directory; `..data` links to it and is replaced by one rename; each visible name links
into `..data`. Readers that resolve `..data` once see one consistent version (this layout is relied on by programs that
watch their configuration).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_DATA = "..data"
_NEW_DATA = "..data_tmp"


@dataclass(frozen=True, slots=True)
class Payload:
    """One file: its bytes, permission bits, and owner where that is not the agent's."""

    data: bytes
    mode: int
    uid: int = -1
    gid: int = -1


def write_atomically(directory: Path, files: Mapping[str, Payload]) -> bool:
    """Make `files` (relative paths) the content of `directory`; False when it was that already."""
    old = _current(directory)
    if old is not None and _holds(old, files):
        return False
    stamp = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
    version = directory / stamp
    version.mkdir(mode=0o755)
    version.chmod(0o755)  # whatever the umask says
    group = next((each.gid for each in files.values() if each.gid >= 0), -1)
    for name, payload in files.items():
        path = version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload.data)
        if payload.uid >= 0 or payload.gid >= 0:
            os.chown(path, payload.uid, payload.gid)
        path.chmod(payload.mode)
    if group >= 0:
        for parent, _, _ in os.walk(version):
            os.chown(parent, -1, group)
    os.symlink(stamp, directory / _NEW_DATA)
    os.rename(directory / _NEW_DATA, directory / _DATA)
    visible = {name.split("/", 1)[0] for name in files}
    for name in visible:
        link = directory / name
        if not link.is_symlink():
            os.symlink(f"{_DATA}/{name}", link)
    for entry in os.scandir(directory):
        if entry.is_symlink() and entry.name not in visible and not entry.name.startswith(".."):
            os.unlink(entry.path)
        elif entry.is_dir(follow_symlinks=False) and entry.name != stamp:
            shutil.rmtree(entry.path)
    return True


def _current(directory: Path) -> Path | None:
    try:
        return directory / os.readlink(directory / _DATA)
    except FileNotFoundError:
        return None


def _holds(version: Path, files: Mapping[str, Payload]) -> bool:
    found = {os.path.relpath(os.path.join(parent, name), version) for parent, _, names in os.walk(version)
             for name in names}  # fmt: skip
    if found != set(files):
        return False
    for name, payload in files.items():
        path = version / name
        if (path.stat().st_mode & 0o7777) != payload.mode or path.read_bytes() != payload.data:
            return False
    return True
