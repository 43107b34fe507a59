"""The tree of files a layer is built from: paths in the image, each with where its content comes from.

Deterministic: the same files give the same archive. Owners are root, directories and what is made here have time 0;
files keep their modification time, because Python's cached bytecode names it. Links of the host on the way to a file
(`/bin -> usr/bin`) become links of the image, so a path means the same in both.
"""

from __future__ import annotations

import os
import stat
import tarfile
from dataclasses import dataclass
from typing import Any, Protocol

from proa.oci.errors import PackError

_CAPABILITY = "security.capability"
_CHUNK = 1 << 18
_LINK_LIMIT = 40


class Sink(Protocol):
    def write(self, data: bytes, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """`source` is a file of the host, `content` bytes made here, `link` a symbolic link; else it is a directory."""

    mode: int
    source: str = ""
    content: bytes | None = None
    link: str = ""

    @property
    def is_directory(self) -> bool:
        return not self.source and self.content is None and not self.link


class Tree:
    """Paths without a leading slash; a parent is always there before its children."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def directory(self, path: str, mode: int = 0o755) -> None:
        self._set(path, Entry(mode))

    def text(self, path: str, content: str) -> None:
        self._set(path, Entry(0o644, content=content.encode()))

    def link(self, path: str, target: str) -> None:
        self._set(path, Entry(0o777, link=target))

    def file(self, path: str, source: str) -> None:
        """The host's regular file `source` (links followed) at `path`."""
        self._set(path, Entry(stat.S_IMODE(os.stat(source).st_mode), source=source))

    def mirror(self, path: str) -> str:
        """The host's file `path` at the same path, with the links that lead to it. Its real path."""
        todo = path.split("/")[::-1]
        real: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del real[-1:]
                continue
            here = "/" + "/".join((*real, part))
            if not os.path.islink(here):
                real.append(part)
                continue
            links += 1
            if links > _LINK_LIMIT:
                raise PackError(f"{path}: too many symbolic links")
            target = os.readlink(here)
            self.link(here, target)
            if target.startswith("/"):
                real.clear()
            todo.extend(target.split("/")[::-1])
        found = "/" + "/".join(real)
        self.file(found, found)
        return found

    def size(self) -> int:
        """Bytes of file content."""
        return sum(os.stat(e.source).st_size if e.source else len(e.content or b"") for e in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        return self._real(path) in self._entries

    def write(self, sink: Sink) -> None:
        """The tree as an uncompressed tar archive (pax), in the order of paths."""
        for path in sorted(self._entries):
            entry = self._entries[path]
            header = tarfile.TarInfo(path)
            header.mode = entry.mode
            if entry.source:
                self._write_file(sink, header, entry.source)
            elif entry.content is not None:
                header.size = len(entry.content)
                sink.write(_header(header) + entry.content + b"\0" * (-len(entry.content) % tarfile.BLOCKSIZE))
            else:
                header.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
                header.linkname = entry.link
                sink.write(_header(header))
        sink.write(b"\0" * (2 * tarfile.BLOCKSIZE))

    def _write_file(self, sink: Sink, header: tarfile.TarInfo, source: str) -> None:
        with open(source, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            header.size, header.mtime = status.st_size, int(status.st_mtime)
            try:
                value = os.getxattr(file.fileno(), _CAPABILITY)
            except OSError:  # none, or a file system without
                pass
            else:
                header.pax_headers = {f"SCHILY.xattr.{_CAPABILITY}": value.decode("utf-8", "surrogateescape")}
            sink.write(_header(header))
            left = header.size
            while left:
                data = file.read(min(left, _CHUNK))
                if not data:
                    raise PackError(f"{source} shrank while it was read")
                sink.write(data)
                left -= len(data)
        sink.write(b"\0" * (-header.size % tarfile.BLOCKSIZE))

    def _set(self, path: str, entry: Entry) -> None:
        real = self._real(path)
        parent = real.rpartition("/")[0]
        if parent and parent not in self._entries:
            self.directory(parent)
        elif parent and not self._entries[parent].is_directory:
            raise PackError(f"/{real} cannot be added: /{parent} is a file")
        old = self._entries.get(real)
        if old is not None and old.is_directory and not entry.is_directory:
            raise PackError(f"/{real} is a directory already")
        self._entries[real] = entry

    def _real(self, path: str) -> str:
        """Where `path` leads in this tree: links on the way are followed, a link at its end is not."""
        todo = [part for part in path.split("/") if part not in ("", ".")][::-1]
        if not todo:
            raise PackError(f"{path!r} names no file in the image")
        real: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del real[-1:]
                continue
            if part in ("", "."):
                continue
            real.append(part)
            entry = self._entries.get("/".join(real))
            if todo and entry is not None and entry.link:
                links += 1
                if links > _LINK_LIMIT:
                    raise PackError(f"{path}: too many symbolic links")
                real.pop()
                if entry.link.startswith("/"):
                    real.clear()
                todo.extend(entry.link.split("/")[::-1])
        return "/".join(real)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
