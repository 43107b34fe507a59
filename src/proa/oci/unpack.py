"""A layer archive becomes a directory that overlayfs can use as a lower layer.

The archive is hostile until proven otherwise: every name is resolved inside the layer's root, symbolic links of the
archive are followed only within that root (an absolute target means the root of the image, as it will in the
container), and a name with `..` is refused. Whiteouts (`.wh.name`, `.wh..wh..opq`: image-spec layer.md) take the form
overlayfs knows: a character device 0/0, and the xattr `trusted.overlay.opaque`.

Standard tarfile only parses headers here: its extraction filters drop owners and modes, which an image needs. The
directory must not be reachable by others while it is filled, since names are checked before they are used.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from proa.oci.errors import CorruptContentError, ImageError, UnsafeLayerError
from proa.oci.stream import LayerReader

_WHITEOUT = ".wh."
_WHITEOUT_META = ".wh..wh."
_OPAQUE = ".wh..wh..opq"
_LINK_LIMIT = 40
# Not the layer's fault.
_DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_XATTR_PREFIX = "SCHILY.xattr."
_XATTR_PREFIX_LIBARCHIVE = "LIBARCHIVE.xattr."
_XATTRS = ("security.capability", "user.", "system.posix_acl_")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`diff_id` is the digest of the uncompressed archive, `size` the bytes of file content written."""

    diff_id: str
    size: int
    entries: int


def unpack(source: BinaryIO, target: Path, name: str = "layer") -> Unpacked:
    """Unpack the layer archive `source` (tar, gzip or zstd) into the new directory `target`. Blocks.

    As root, owners, device nodes and all kept xattrs are set; otherwise files belong to the caller, device nodes are
    refused and opaque directories carry `user.overlay.opaque` (mount with `userxattr`).
    Raises UnsafeLayerError or CorruptContentError; the caller removes `target` then.
    """
    target.mkdir(mode=0o755)
    reader = LayerReader(source, name)
    layer = _Layer(os.fspath(target), name)
    try:
        for member, content in _members(reader):
            layer.add(member, content)
    except tarfile.TarError as error:
        raise CorruptContentError(f"{name} is not a tar archive: {error}") from error
    layer.finish()
    reader.drain()
    return Unpacked(reader.digest, layer.size, layer.entries)


def _members(reader: LayerReader) -> Iterator[tuple[tarfile.TarInfo, LayerReader]]:
    """Each member with the reader standing at its content."""
    with tarfile.open(fileobj=cast(BinaryIO, reader), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # tarfile would remember every header
            yield member, reader
            reader.seek(archive.offset)


class _Layer:
    """One directory being filled."""

    def __init__(self, root: str, name: str) -> None:
        self._root = root
        self._name = name
        self._privileged = os.geteuid() == 0
        self._opaque_xattr = "trusted.overlay.opaque" if self._privileged else "user.overlay.opaque"
        self._parents: dict[str, str] = {"": root}
        self._directories: dict[str, int] = {}
        self.size = 0
        self.entries = 0

    def add(self, member: tarfile.TarInfo, content: LayerReader) -> None:
        self.entries += 1
        try:
            self._place(member, content)
        except ValueError as error:  # a NUL byte in a name
            raise self._unsafe(member.name, str(error)) from error
        except OSError as error:
            kind = ImageError if error.errno in _DISK_FAILURES else UnsafeLayerError
            raise kind(f"{self._name}: entry {member.name!r} cannot be unpacked: {error}") from error

    def _place(self, member: tarfile.TarInfo, content: LayerReader) -> None:
        parts = self._parts(member.name)
        if not parts:
            if not member.isdir():
                raise self._unsafe(member.name, "the root of a layer must be a directory")
            self._directory(member, self._root)
            return
        parent = self._parent("/".join(parts[:-1]), member.name)
        if parts[-1].startswith(_WHITEOUT):
            self._whiteout(parent, parts[-1], member.name)
        else:
            self._create(member, f"{parent}/{parts[-1]}", content)

    def finish(self) -> None:
        """Directory times last: adding entries has changed them."""
        for path, when in self._directories.items():
            os.utime(path, ns=(when, when), follow_symlinks=False)

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self._unsafe(name, "a name must not contain '..'")
        return parts

    def _parent(self, path: str, entry: str) -> str:
        """The real directory for `path`, made when missing; symbolic links are followed inside the root only."""
        known = self._parents.get(path)
        if known is not None:
            return known
        real = self._walk(path, entry)
        self._parents[path] = real
        return real

    def _walk(self, path: str, entry: str) -> str:
        todo = path.split("/")[::-1]
        real: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":  # only from a link's target; at the root it stays there, as in the container
                del real[-1:]
                continue
            here = "/".join((self._root, *real, part))
            try:
                mode = os.lstat(here).st_mode
            except FileNotFoundError:
                os.mkdir(here, 0o755)
            else:
                if stat.S_ISLNK(mode):
                    links += 1
                    if links > _LINK_LIMIT:
                        raise self._unsafe(entry, "too many symbolic links in its path")
                    link = os.readlink(here)
                    if link.startswith("/"):
                        real.clear()
                    todo.extend(link.split("/")[::-1])
                    continue
                if _is_whiteout(here, mode):
                    os.unlink(here)
                    os.mkdir(here, 0o755)
                    self._set_opaque(here)
                elif not stat.S_ISDIR(mode):
                    raise self._unsafe(entry, f"{'/'.join((*real, part))!r} is not a directory")
            real.append(part)
        return "/".join((self._root, *real))

    def _whiteout(self, parent: str, base: str, entry: str) -> None:
        if base == _OPAQUE:
            self._set_opaque(parent)
            return
        if base.startswith(_WHITEOUT_META):  # bookkeeping of aufs
            return
        name = base.removeprefix(_WHITEOUT)
        if name in ("", ".", ".."):
            raise self._unsafe(entry, "a whiteout must name a file")
        path = f"{parent}/{name}"
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
            return
        if stat.S_ISDIR(mode):  # this layer has put a new directory in the place of what it hides
            self._set_opaque(path)

    def _create(self, member: tarfile.TarInfo, path: str, content: LayerReader) -> None:
        hidden = self._clear(path, keep_directory=member.isdir())
        if member.isdir():
            self._directory(member, path)
            if hidden:
                self._set_opaque(path)
        elif member.isreg():
            self._file(member, path, content)
        elif member.issym():
            os.symlink(member.linkname, path)
            self._own(member, path)
        elif member.islnk():
            self._hard_link(member, path)
        elif member.isfifo():
            os.mkfifo(path, 0o600)
            self._own(member, path)
        elif member.ischr() or member.isblk():
            self._device(member, path)
        else:
            raise self._unsafe(member.name, f"unknown type {member.type!r}")

    def _clear(self, path: str, *, keep_directory: bool) -> bool:
        """Make room: a later entry replaces an earlier one. Whether it was a whiteout."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(mode):
            if not keep_directory:
                remove_tree(path)
                self._forget()
                self._directories = {p: t for p, t in self._directories.items() if not f"{p}/".startswith(f"{path}/")}
            return False
        whiteout = _is_whiteout(path, mode)
        os.unlink(path)
        if stat.S_ISLNK(mode):
            self._forget()
        return whiteout

    def _forget(self) -> None:
        """A link or directory on the way to some parent is gone: paths have to be walked again."""
        self._parents = {"": self._root}

    def _directory(self, member: tarfile.TarInfo, path: str) -> None:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        self._own(member, path)
        self._directories[path] = _nanoseconds(member)

    def _file(self, member: tarfile.TarInfo, path: str, content: LayerReader) -> None:
        fd = os.open(path, _WRITE, 0o600)
        try:
            holes: list[tuple[int, int]] | None = member.sparse  # type: ignore[assignment]
            if holes is not None:
                for offset, size in holes:
                    os.lseek(fd, offset, os.SEEK_SET)
                    self._copy(content, fd, size, member.name)
                os.ftruncate(fd, member.size)
            else:
                self._copy(content, fd, member.size, member.name)
            if self._privileged:
                os.fchown(fd, member.uid, member.gid)
            os.fchmod(fd, stat.S_IMODE(member.mode))
            self._xattrs(member, fd)
            when = _nanoseconds(member)
            os.utime(fd, ns=(when, when))
        finally:
            os.close(fd)

    def _copy(self, content: LayerReader, fd: int, size: int, entry: str) -> None:
        self.size += size
        while size > 0:
            piece = content.chunk(size)
            if not piece:
                raise CorruptContentError(f"{self._name} ends in the middle of {entry!r}")
            size -= len(piece)
            while piece:
                piece = piece[os.write(fd, piece) :]

    def _hard_link(self, member: tarfile.TarInfo, path: str) -> None:
        parts = self._parts(member.linkname)
        if not parts:
            raise self._unsafe(member.name, "a hard link must name a file")
        source = f"{self._parent('/'.join(parts[:-1]), member.name)}/{parts[-1]}"
        try:
            mode = os.lstat(source).st_mode
        except FileNotFoundError:
            reason = f"hard link to {member.linkname!r}, which the layer does not hold"
            raise self._unsafe(member.name, reason) from None
        if stat.S_ISDIR(mode):
            raise self._unsafe(member.name, f"hard link to the directory {member.linkname!r}")
        os.link(source, path, follow_symlinks=False)

    def _device(self, member: tarfile.TarInfo, path: str) -> None:
        if not self._privileged:
            raise self._unsafe(member.name, "a device node can only be made by root")
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        if (member.devmajor, member.devminor) != (0, 0) or member.isblk():
            self._own(member, path)

    def _own(self, member: tarfile.TarInfo, path: str) -> None:
        """Owner, mode, xattrs and time, in this order: a change of owner drops set-id bits and capabilities."""
        if self._privileged:
            os.lchown(path, member.uid, member.gid)
        if not member.issym():
            os.chmod(path, stat.S_IMODE(member.mode))
            self._xattrs(member, path)
        when = _nanoseconds(member)
        os.utime(path, ns=(when, when), follow_symlinks=False)

    def _xattrs(self, member: tarfile.TarInfo, target: str | int) -> None:
        """Only kinds that belong to content: `trusted.overlay.*` would let a layer redirect into another."""
        for key, text in member.pax_headers.items():
            if key.startswith(_XATTR_PREFIX):
                name, value = key.removeprefix(_XATTR_PREFIX), text.encode("utf-8", "surrogateescape")
            elif key.startswith(_XATTR_PREFIX_LIBARCHIVE):
                name, value = key.removeprefix(_XATTR_PREFIX_LIBARCHIVE), base64.b64decode(text + "==")
            else:
                continue
            if not name.startswith(_XATTRS) or name.startswith("user.overlay."):
                continue
            if name.startswith("security.") and not self._privileged:
                continue
            os.setxattr(target, name, value)

    def _set_opaque(self, path: str) -> None:
        os.setxattr(path, self._opaque_xattr, b"y")

    def _unsafe(self, entry: str, why: str) -> UnsafeLayerError:
        return UnsafeLayerError(f"{self._name}: entry {entry!r} is refused: {why}")


def remove_tree(path: str | Path) -> None:
    """Remove a directory with all it holds, never following a link."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(path)


def _is_whiteout(path: str, mode: int) -> bool:
    return stat.S_ISCHR(mode) and os.lstat(path).st_rdev == 0


def _nanoseconds(member: tarfile.TarInfo) -> int:
    return int(member.mtime * 1_000_000_000)
