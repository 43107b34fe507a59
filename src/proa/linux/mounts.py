"""Mounts, by descriptor where Linux allows it (open_tree, move_mount, mount_setattr: 5.12), so that no path races.

A bind mount is three steps: `clone_tree` the source in the namespace that has it, `set_attributes`, `attach` it at a
descriptor in the namespace that gets it. Paths inside a container's root are resolved by `open_in_root` only: the
image's symbolic links must not lead out of it.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from proa.linux.libc import address, call, pack, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24

MNT_DETACH = 2

ATTR_RDONLY = 0x1
ATTR_NOSUID = 0x2
ATTR_NODEV = 0x4
ATTR_NOEXEC = 0x8

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOVE_MOUNT_T_EMPTY_PATH = 0x40
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_RESOLVE_IN_ROOT = 0x10

_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_OPENAT2 = 437
_SYS_MOUNT_SETATTR = 442


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2). `target` may be /proc/self/fd/N of an O_PATH descriptor."""
    call("mount", source.encode(), target.encode(), kind.encode(), flags, options.encode(), path=target)


def unmount(target: str, *, detach: bool = False) -> None:
    call("umount2", target.encode(), MNT_DETACH if detach else 0, path=target)


def set_propagation(target: str, flags: int) -> None:
    """`flags`: MS_PRIVATE, MS_SLAVE or MS_SHARED, with MS_REC for everything below."""
    call("mount", None, target.encode(), None, flags, None, path=target)


def pivot_root(new_root: str) -> None:
    """Make `new_root` (a mount) the root of this mount namespace and let go of the old one."""
    os.chdir(new_root)
    call("pivot_root", b".", b".", path=new_root)
    unmount(".", detach=True)
    os.chdir("/")


def clone_tree(source: str | int, *, recursive: bool = True) -> int:
    """A detached copy of the mount at a path or O_PATH descriptor; it keeps the source's peer group."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    if isinstance(source, int):
        return syscall(_SYS_OPEN_TREE, "open_tree", source, b"", flags | _AT_EMPTY_PATH)
    return syscall(_SYS_OPEN_TREE, "open_tree", _AT_FDCWD, source.encode(), flags, path=source)


def set_attributes(tree: int, attributes: int, *, propagation: int = 0, recursive: bool = False) -> None:
    """Add mount attributes (ATTR_*) and set the propagation type of a mount given by descriptor."""
    argument = pack(struct.pack("=QQQQ", attributes, 0, propagation, 0))
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    syscall(_SYS_MOUNT_SETATTR, "mount_setattr", tree, b"", flags, address(argument), 32)


def attach(tree: int, target: int) -> None:
    """Attach a detached mount at the O_PATH descriptor `target`."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    syscall(_SYS_MOVE_MOUNT, "move_mount", tree, b"", target, b"", flags)


def _openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    how = pack(struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve))
    return syscall(_SYS_OPENAT2, "openat2", directory, path.encode(), address(how), 24, path=path)


def open_in_root(root: int, path: str, flags: int = os.O_PATH) -> int:
    """Open `path` as if `root` (a directory descriptor) were /: '..' and symbolic links stay inside."""
    return _openat2(root, path, flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)


def open_beneath(root: int, path: str, flags: int = os.O_PATH) -> int:
    """Open `path` below `root`; OSError (EXDEV) when a symbolic link or '..' leaves it."""
    return _openat2(root, path, flags, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)


def make_in_root(root: int, path: str, *, directory: bool, beneath: bool = False, mode: int = 0o755) -> int:
    """An O_PATH descriptor of `path` inside `root`; missing parents and the last part are created.

    `beneath`: a symbolic link that leaves `root` is an error; otherwise `root` is / to it, and what a dangling one
    points to is created.
    """
    return _make(root, path, directory, open_beneath if beneath else open_in_root, mode, 40)


def _make(root: int, path: str, directory: bool, opener: Callable[[int, str], int], mode: int, links: int) -> int:
    try:
        return opener(root, path or ".")
    except FileNotFoundError:
        if links == 0:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    walked = ""
    for index, part in enumerate(parts):
        parent = opener(root, walked or ".")
        walked = f"{walked}/{part}" if walked else part
        last = index == len(parts) - 1
        try:
            if directory or not last:
                os.mkdir(part, mode, dir_fd=parent)
            else:
                os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=parent))
        except FileExistsError:
            try:
                os.close(opener(root, walked))
            except FileNotFoundError:  # a link to nothing
                target = os.readlink(part, dir_fd=parent)
                where = target if target.startswith("/") else f"{walked.rpartition('/')[0]}/{target}"
                os.close(_make(root, where, directory or not last, opener, mode, links - 1))
        finally:
            os.close(parent)
    return opener(root, path or ".")


def is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def descriptor_path(descriptor: int) -> str:
    """A path that names an open descriptor, for calls that take only paths."""
    return f"/proc/self/fd/{descriptor}"
