"""A container's file system: overlay root, kernel file systems, devices, volumes, masks, in a mount namespace.

The host never sees these mounts and nobody has to unmount them: they end with the last process of the container.
Volume sources are cloned in the host's namespace first, so that they are what the host has at this moment and keep
their propagation. Runs in the forked child that becomes the container's init.
"""

from __future__ import annotations

import errno
import os
import stat

from proa.linux import mounts, namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proa.linux.cgroups import Tree
    from proa.runtime.embedded.spec import ContainerSpec, MountSpec

_NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_LINKS = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"))
_MORE_LINKS = (("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"))

DEVICE_RULES = (
    *("c *:* m", "b *:* m"),
    *(f"c {major}:{minor} rwm" for _, major, minor in _NODES),
    *("c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"),
)
"""What a container may do with devices: make any node, use only the harmless ones (and consoles)."""


class Rootfs:
    """Builds one container's root. Call the three methods in order; `enter` leaves the process inside."""

    def __init__(self, spec: ContainerSpec, directory: str, tree: Tree) -> None:
        self._spec = spec
        self._directory = directory
        self._tree = tree
        self._sources: list[tuple[MountSpec, int]] = []
        self._shm = -1

    def clone_sources(self, shm_namespace: int, host_namespace: int) -> None:
        """Take detached copies of every volume while still in the host's mount namespace."""
        for item in sorted(self._spec["mounts"], key=lambda item: item["target"].rstrip("/").count("/")):
            self._sources.append((item, _clone_source(item)))
        if shm_namespace >= 0:
            namespaces.setns(shm_namespace, namespaces.NEWNS)
            self._shm = mounts.clone_tree("/")
            namespaces.setns(host_namespace, namespaces.NEWNS)

    def build(self) -> None:
        """Mount everything below the container's root directory, in a new private mount namespace."""
        namespaces.unshare(namespaces.NEWNS | namespaces.NEWCGROUP)
        mounts.set_propagation("/", mounts.MS_PRIVATE | mounts.MS_REC)
        os.umask(0)
        root = self._mount_overlay()
        nosuid = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
        _mount(root, "/proc", "proc", nosuid)
        self._make_devices(root)
        self._mount_sys(root, nosuid)
        taken = {os.path.normpath(item["target"]) for item, _ in self._sources}
        if self._shm >= 0 and "/dev/shm" not in taken:
            _attach(root, "/dev/shm", self._shm)
        for item, source in self._sources:
            _mount_volume(root, item, source)
        if not self._spec["privileged"]:
            for path in self._spec["readonly_paths"]:
                _make_readonly(root, path)
            for path in self._spec["masked_paths"]:
                _mask(root, path)
        if self._spec["readonly_rootfs"]:
            mount = os.open(f"{self._directory}/rootfs", os.O_PATH | os.O_CLOEXEC)
            mounts.set_attributes(mount, mounts.ATTR_RDONLY)
            os.close(mount)
        os.close(root)
        os.umask(0o022)

    def enter(self) -> None:
        mounts.pivot_root(f"{self._directory}/rootfs")

    def _mount_overlay(self) -> int:
        """Mount the layers; names are relative to their common directory, for overlayfs takes one page of options."""
        lower = self._spec["lowerdirs"]
        names = [*lower, f"{self._directory}/upper", f"{self._directory}/work"]
        base = os.path.commonpath(names)
        os.chdir(base)
        relative = [_escape(os.path.relpath(name, base)) for name in names]
        # volatile: no sync of a layer that is never mounted again
        options = f"lowerdir={':'.join(relative[:-2])},upperdir={relative[-2]},workdir={relative[-1]},volatile"
        target = f"{self._directory}/rootfs"
        try:
            mounts.mount("overlay", target, "overlay", 0, options)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise OSError(
                    error.errno,
                    f"overlay mount of {len(lower)} layers refused; the state directory must lie on a file "
                    "system that can hold overlayfs upper layers (not on overlayfs itself)",
                    self._directory,
                ) from error
            raise
        finally:
            os.chdir("/")
        return os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _make_devices(self, root: int) -> None:
        _mount(root, "/dev", "tmpfs", mounts.MS_NOSUID | mounts.MS_STRICTATIME, "mode=755,size=65536k")
        dev = mounts.open_in_root(root, "/dev", os.O_RDONLY | os.O_DIRECTORY)
        for name, major, minor in _NODES:
            os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=dev)
        for name, target in _LINKS + _MORE_LINKS:
            os.symlink(target, name, dir_fd=dev)
        for name in ("pts", "shm", "mqueue"):
            os.mkdir(name, 0o755, dir_fd=dev)
        flags = mounts.MS_NOSUID | mounts.MS_NOEXEC
        _mount(root, "/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620,gid=5")
        _mount(root, "/dev/mqueue", "mqueue", flags | mounts.MS_NODEV)
        if self._shm < 0:
            _mount(root, "/dev/shm", "tmpfs", flags | mounts.MS_NODEV, "mode=1777,size=65536k")
        for device in self._spec["devices"]:
            directory, _, name = device["path"].rpartition("/")
            parent = mounts.make_in_root(root, directory or "/", directory=True)
            kind = stat.S_IFBLK if device["kind"] == "b" else stat.S_IFCHR
            try:
                os.mknod(name, kind | device["mode"], os.makedev(device["major"], device["minor"]), dir_fd=parent)
                os.chown(name, device["uid"], device["gid"], dir_fd=parent, follow_symlinks=False)
            except FileExistsError:
                continue
            finally:
                os.close(parent)
        os.close(dev)

    def _mount_sys(self, root: int, flags: int) -> None:
        readonly = 0 if self._spec["privileged"] else mounts.MS_RDONLY
        _mount(root, "/sys", "sysfs", flags | readonly)
        views = self._tree.mount_view()
        if views == [("", "cgroup2", "")]:
            _mount(root, "/sys/fs/cgroup", "cgroup2", flags | readonly)
            return
        _mount(root, "/sys/fs/cgroup", "tmpfs", flags, "mode=755,size=64k")
        for name, kind, options in views:
            _mount(root, f"/sys/fs/cgroup/{name}", kind, flags | readonly, options)
        if readonly:
            target = mounts.open_in_root(root, "/sys/fs/cgroup")
            mounts.set_attributes(target, mounts.ATTR_RDONLY)
            os.close(target)


def _clone_source(item: MountSpec) -> int:
    try:
        if not item["sub_path"]:
            return mounts.clone_tree(item["source"])
        base = os.open(item["source"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = mounts.make_in_root(base, item["sub_path"].lstrip("/"), directory=True, beneath=True)
        finally:
            os.close(base)
        try:
            return mounts.clone_tree(found)
        finally:
            os.close(found)
    except OSError as error:
        where = item["source"] + (f", sub path {item['sub_path']}" if item["sub_path"] else "")
        raise OSError(error.errno, f"volume for {item['target']}: {error.strerror}", where) from error


def _mount(root: int, path: str, kind: str, flags: int = 0, options: str = "") -> None:
    target = mounts.make_in_root(root, path, directory=True)
    try:
        mounts.mount(kind, mounts.descriptor_path(target), kind, flags, options)
    except OSError as error:
        raise OSError(error.errno, f"mount {kind}: {error.strerror}", path) from error
    finally:
        os.close(target)


def _attach(root: int, path: str, tree: int) -> None:
    target = mounts.make_in_root(root, path, directory=mounts.is_directory(tree))
    try:
        mounts.attach(tree, target)
    except OSError as error:
        raise OSError(error.errno, f"bind mount: {error.strerror}", path) from error
    finally:
        os.close(target)
        os.close(tree)


_PROPAGATION = {"None": mounts.MS_PRIVATE, "HostToContainer": mounts.MS_SLAVE, "Bidirectional": mounts.MS_SHARED}


def _mount_volume(root: int, item: MountSpec, source: int) -> None:
    mounts.set_attributes(source, 0, propagation=_PROPAGATION[item["propagation"]], recursive=True)
    if item["readonly"]:
        mounts.set_attributes(source, mounts.ATTR_RDONLY, recursive=item["recursive_readonly"])
    _attach(root, item["target"], source)


def _make_readonly(root: int, path: str) -> None:
    try:
        found = mounts.open_in_root(root, path)
    except FileNotFoundError:
        return
    tree = mounts.clone_tree(found)
    mounts.set_attributes(tree, mounts.ATTR_RDONLY, recursive=True)
    mounts.attach(tree, found)
    os.close(tree)
    os.close(found)


def _mask(root: int, path: str) -> None:
    try:
        found = mounts.open_in_root(root, path)
    except FileNotFoundError:
        return
    if mounts.is_directory(found):
        mounts.mount("tmpfs", mounts.descriptor_path(found), "tmpfs", mounts.MS_RDONLY, "size=0k")
    else:
        null = mounts.open_in_root(root, "/dev/null")
        tree = mounts.clone_tree(null, recursive=False)
        mounts.attach(tree, found)
        os.close(tree)
        os.close(null)
    os.close(found)


def _escape(name: str) -> str:
    """overlayfs splits its options at commas and its layers at colons."""
    return name.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
