"""An image out of programs of the host: executables with their shared libraries, in one uncompressed layer.

No registry, no build file, no compression: the image is there in well under a second. A program keeps its path, and so
do its interpreter (ELF or `#!`) and its libraries; the loader finds them as on the host. What is added besides: the
links of a merged /usr, a minimal /etc, /tmp, and the name-service libraries glibc loads by name. The same inputs give
the same digest.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
from collections.abc import Iterable, Sequence

import msgspec

from proa.oci import elf, reference
from proa.oci.content import BlobWriter
from proa.oci.errors import PackError
from proa.oci.model import OCI_CONFIG, OCI_LAYER, Descriptor, ImageDocument, Manifest, RootFS, RunConfig
from proa.oci.reference import Reference
from proa.oci.store import Image, ImageStore
from proa.oci.tree import Tree

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_GLIBC = "libc.so.6"
_BY_NAME = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
_SHEBANG_DEPTH = 4
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"
_EPOCH = "1970-01-01T00:00:00Z"


async def pack(
    store: ImageStore,
    name: str,
    binaries: Sequence[str],
    *,
    add: Iterable[tuple[str, str]] = (),
    exclude: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Iterable[tuple[str, str]] = (),
    user: str = "",
    working_dir: str = "",
) -> Image:
    """Pack `binaries` (paths, or names on PATH) into the image `name`, ready to run.

    `add` are (source on the host, absolute destination) pairs of files or whole directories; libraries their ELF files
    need come along. `exclude` are patterns (fnmatch) for names or relative paths not to take from added directories.
    Without `entrypoint` and `cmd` the first binary is the entrypoint. Raises PackError, InvalidImageNameError.
    """
    parsed = reference.parse(name)
    if parsed.digest:
        raise PackError(f"{name} holds a digest: an image that is being packed can only be named by a tag")
    async with store.adding():
        tree, paths = await store.run(plan, tuple(binaries), tuple(add), tuple(exclude))
        default = paths[:1] if not entrypoint and not cmd else []
        variables = {"PATH": DEFAULT_PATH} | dict(env)
        run = RunConfig(
            User=user,
            Env=tuple(f"{key}={value}" for key, value in variables.items()),
            Entrypoint=tuple(entrypoint or default) or None,
            Cmd=tuple(cmd) or None,
            WorkingDir=working_dir,
        )
        image = await build(store, [parsed], tree, run)
        await store.unpack(image)
    return image


async def build(store: ImageStore, names: Iterable[Reference], tree: Tree, run: RunConfig) -> Image:
    """A one-layer image of `tree`, under `names`. Inside `store.adding()`."""
    return await store.name(names, await store.run(_add_image, store, tree, run))


def plan(binaries: Sequence[str], add: Sequence[tuple[str, str]], exclude: Sequence[str]) -> tuple[Tree, list[str]]:
    """The tree of an image and the binaries' paths in it. Blocks. Raises PackError."""
    try:
        return _plan(binaries, add, exclude)
    except OSError as error:
        raise PackError(f"cannot be packed: {error}") from error


def _plan(binaries: Sequence[str], add: Sequence[tuple[str, str]], exclude: Sequence[str]) -> tuple[Tree, list[str]]:
    if not binaries and not add:
        raise PackError("nothing to pack: name at least one binary or something to add")
    tree = Tree()
    for path in _MERGED:
        if os.path.islink(path):
            tree.link(path, os.readlink(path))
            tree.directory(os.path.realpath(path))
    for path, content in (("/etc/passwd", _PASSWD), ("/etc/group", _GROUP), ("/etc/nsswitch.conf", _NSSWITCH)):
        tree.text(path, content)
    tree.directory("/tmp", 0o1777)
    tree.directory("/var/tmp", 0o1777)
    tree.directory("/root", 0o700)
    packer = _Packer(tree)
    paths = [_locate(binary) for binary in binaries]
    for path in paths:
        packer.program(path)
    for source, destination in add:
        packer.add(source, destination, exclude)
    packer.finish()
    return tree, paths


class _Packer:
    """Follows what programs need, each object once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._objects: dict[str, elf.Elf] = {}

    def program(self, path: str, depth: int = 0) -> None:
        """An executable at its own path, with what it needs to run."""
        real = self._tree.mirror(path)
        if not os.access(real, os.X_OK):
            raise PackError(f"{path} is not executable")
        self._needs(real, depth)

    def add(self, source: str, destination: str, exclude: Sequence[str]) -> None:
        if not destination.startswith("/"):
            raise PackError(
                f"destination {destination!r} of {source} is relative: expected an absolute path in the image"
            )
        if os.path.isdir(source):
            if destination.strip("/"):
                self._tree.directory(destination)
            self._directory(source, destination.rstrip("/"), "", exclude)
        elif os.path.isfile(source):
            target = f"{destination}{os.path.basename(source)}" if destination.endswith("/") else destination
            self._file(os.path.abspath(source), target)
        else:
            raise PackError(f"{source} is neither a file nor a directory of this machine")

    def finish(self) -> None:
        """The libraries glibc loads by name, when glibc is in."""
        libc = next((e for e in self._objects.values() if os.path.basename(e.path) == _GLIBC), None)
        if libc is not None:
            for name in _BY_NAME:
                if (found := elf.optional_library(name, libc)) is not None:
                    self._object(found, ())

    def _directory(self, source: str, destination: str, inside: str, exclude: Sequence[str]) -> None:
        with os.scandir(source) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        for entry in entries:
            relative = f"{inside}{entry.name}"
            if any(fnmatch.fnmatch(entry.name, p) or fnmatch.fnmatch(relative, p) for p in exclude):
                continue
            target = f"{destination}/{entry.name}"
            if entry.is_symlink():
                self._tree.link(target, os.readlink(entry.path))
            elif entry.is_dir():
                self._tree.directory(target, stat.S_IMODE(entry.stat().st_mode))
                self._directory(entry.path, target, f"{relative}/", exclude)
            elif entry.is_file():
                self._file(entry.path, target)
            else:
                raise PackError(f"{entry.path} is neither file, directory nor symbolic link: exclude it")

    def _file(self, source: str, target: str) -> None:
        self._tree.file(target, source)
        if elf.is_elf(source):
            self._elf(elf.read(source))

    def _needs(self, path: str, depth: int = 0) -> None:
        with open(path, "rb") as file:
            head = file.read(256)
        if head.startswith(b"\x7fELF"):
            self._elf(elf.read(path))
        elif head.startswith(b"#!"):
            if depth >= _SHEBANG_DEPTH:
                raise PackError(f"{path}: its interpreter is a script of a script, more than {_SHEBANG_DEPTH} deep")
            words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
            if not words:
                raise PackError(f"{path} names no interpreter after '#!'")
            self.program(words[0], depth + 1)
            if os.path.basename(words[0]) == "env":
                named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
                if named:
                    self.program(_locate(named), depth + 1)
        else:
            raise PackError(f"{path} is neither an ELF executable nor a script with '#!'")

    def _elf(self, found: elf.Elf) -> None:
        if found.interpreter:
            self._tree.mirror(found.interpreter)
        self._follow(found, ())

    def _follow(self, found: elf.Elf, loaders: tuple[elf.Elf, ...]) -> None:
        for library in elf.libraries(found, loaders):
            self._object(library, (found, *loaders))

    def _object(self, library: elf.Elf, loaders: tuple[elf.Elf, ...]) -> None:
        if library.path in self._objects:
            return
        self._objects[library.path] = library
        self._tree.mirror(library.path)
        self._follow(library, loaders)


def _locate(binary: str) -> str:
    """The absolute path of an executable of the host, links not followed."""
    if "/" in binary:
        path = os.path.abspath(binary)
        if not os.path.isfile(path):
            raise PackError(f"{binary} is not a file of this machine")
        return path
    found = shutil.which(binary, path=os.environ.get("PATH", DEFAULT_PATH))
    if found is None:
        raise PackError(f"{binary} was not found on PATH: give its path")
    return os.path.abspath(found)


def _add_image(store: ImageStore, tree: Tree, run: RunConfig) -> str:
    """Write layer, configuration and manifest; the manifest's digest."""
    content, machine = store.content, store.machine
    with BlobWriter(content) as writer:
        tree.write(writer)
        layer = Descriptor(OCI_LAYER, writer.commit(), writer.offset)
    document = ImageDocument(
        architecture=machine.architecture,
        os=machine.os,
        variant=machine.variant,
        created=_EPOCH,
        config=run,
        rootfs=RootFS((layer.digest,)),
        history=({"created": _EPOCH, "created_by": "proa image pack"},),
    )
    config = msgspec.json.encode(document)
    descriptor = Descriptor(OCI_CONFIG, content.add(config), len(config))
    return content.add(msgspec.json.encode(Manifest(descriptor, (layer,))))
