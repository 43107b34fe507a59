"""What an ELF file needs to run: its interpreter and shared libraries, found as the dynamic loader would find them.

Read from the file itself (System V ABI, ld.so(8)); nothing is executed, so a foreign or broken binary is harmless.
Search order: DT_RPATH of the object and those that load it, DT_RUNPATH, the loader's cache, its default directories;
a file of another class or machine is passed over.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from proa.oci.errors import PackError

_MAGIC = b"\x7fELF"
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 15, 29
_TRIPLES = {62: "x86_64-linux-gnu", 183: "aarch64-linux-gnu", 3: "i386-linux-gnu", 40: "arm-linux-gnueabihf"}
_CACHE = Path("/etc/ld.so.cache")
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER, _CACHE_ENTRY = 48, struct.Struct("=iIIIQ")


@dataclass(frozen=True, slots=True)
class Elf:
    """The dynamic facts of one file. `kind` is (class, byte order, machine): objects of one process share it."""

    path: str
    kind: tuple[int, int, int]
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


def is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == _MAGIC


def read(path: str) -> Elf:
    """The ELF file at `path`. Raises PackError when it is not one or is damaged."""
    try:
        with open(path, "rb") as file:
            return _parse(path, file.read())
    except (struct.error, IndexError, ValueError) as error:
        raise PackError(f"{path} is not a readable ELF file: {error}") from error


def libraries(elf: Elf, loaders: tuple[Elf, ...] = ()) -> list[Elf]:
    """The libraries `elf` needs directly. `loaders`: the objects that loaded it, nearest first.

    Raises PackError, which names the library that cannot be found.
    """
    found = []
    for name in elf.needed:
        library = _find(name, elf, loaders)
        if library is None:
            where = ", ".join(_default_directories(elf))
            raise PackError(f"shared library {name}, needed by {elf.path}, was not found (searched {where})")
        found.append(library)
    return found


def optional_library(name: str, elf: Elf) -> Elf | None:
    """A library the process may load later by name (dlopen), such as a name-service module."""
    return _find(name, elf, ())


def _find(name: str, elf: Elf, loaders: tuple[Elf, ...]) -> Elf | None:
    if "/" in name:
        return _matching(name, elf)
    for directory in (*_run_paths(elf, loaders), *_default_directories(elf)):
        if (found := _matching(f"{directory}/{name}", elf)) is not None:
            return found
        if directory == "":
            for path in _loader_cache().get(name, ()):
                if (found := _matching(path, elf)) is not None:
                    return found
    return None


def _run_paths(elf: Elf, loaders: tuple[Elf, ...]) -> list[str]:
    paths = []
    if not elf.runpath:
        for item in (elf, *loaders):
            if not item.runpath:
                paths += _expanded(item.rpath, item)
    return [*paths, *_expanded(elf.runpath, elf)]


def _expanded(paths: tuple[str, ...], elf: Elf) -> list[str]:
    origin = os.path.dirname(os.path.realpath(elf.path))
    return [p.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for p in paths if p]


def _default_directories(elf: Elf) -> list[str]:
    """Where the loader looks last; '' stands for its cache."""
    bits = "64" if elf.kind[0] == 2 else ""
    triple = _TRIPLES.get(elf.kind[2])
    names = [f"lib/{triple}"] if triple else []
    names += [f"lib{bits}", "lib"]
    return ["", *dict.fromkeys(f"{prefix}/{name}" for name in names for prefix in ("", "/usr")), "/usr/local/lib"]


def _matching(path: str, elf: Elf) -> Elf | None:
    """The library at `path`, when it is one for the same kind of process."""
    if not os.path.isfile(path) or not is_elf(path):
        return None
    found = read(path)
    return found if found.kind == elf.kind else None


@cache
def _loader_cache() -> dict[str, list[str]]:
    """`/etc/ld.so.cache` of glibc: soname to paths, plain ones before those for special processors."""
    try:
        data = _CACHE.read_bytes()
    except OSError:
        return {}
    start = data.find(_CACHE_MAGIC)
    if start < 0:
        return {}
    data = data[start:]
    (count,) = struct.unpack_from("=I", data, len(_CACHE_MAGIC))
    paths: dict[str, list[str]] = {}
    for number in range(count):
        _, key, value, _, special = _CACHE_ENTRY.unpack_from(data, _CACHE_HEADER + number * _CACHE_ENTRY.size)
        if not special:
            paths.setdefault(_string(data, key), []).append(_string(data, value))
    return paths


def _string(data: bytes, offset: int) -> str:
    return os.fsdecode(data[offset : data.index(b"\0", offset)])


def _parse(path: str, data: bytes) -> Elf:
    if data[:4] != _MAGIC:
        raise ValueError("wrong magic number")
    bits, order = data[4], data[5]
    if bits not in (1, 2) or order not in (1, 2):
        raise ValueError(f"class {bits}, byte order {order}")
    wide, end = bits == 2, "<" if order == 1 else ">"
    (machine,) = struct.unpack_from(f"{end}H", data, 18)
    kind = (bits, order, machine)
    (table,) = struct.unpack_from(f"{end}{'Q' if wide else 'I'}", data, 32 if wide else 28)
    size, count = struct.unpack_from(f"{end}HH", data, 54 if wide else 42)
    segments = [_segment(data, table + size * n, wide, end) for n in range(count)]
    loads = [segment for segment in segments if segment[0] == _PT_LOAD]
    interpreter = ""
    dynamic: list[tuple[int, int]] = []
    for what, offset, _, length in segments:
        if what == _PT_INTERP:
            interpreter = _string(data, offset)
        elif what == _PT_DYNAMIC:
            word = struct.Struct(f"{end}{'qQ' if wide else 'iI'}")
            for at in range(offset, offset + length, word.size):
                tag, value = word.unpack_from(data, at)
                if tag == _DT_NULL:
                    break
                dynamic.append((tag, value))
    strings = next((_file_offset(value, loads) for tag, value in dynamic if tag == _DT_STRTAB), 0)
    named = {
        tag: [_string(data, strings + v) for t, v in dynamic if t == tag]
        for tag in (_DT_NEEDED, _DT_RPATH, _DT_RUNPATH)
    }
    rpath, runpath = (tuple(p for entry in named[tag] for p in entry.split(":")) for tag in (_DT_RPATH, _DT_RUNPATH))
    return Elf(path, kind, interpreter, tuple(named[_DT_NEEDED]), rpath, runpath)


def _segment(data: bytes, at: int, wide: bool, end: str) -> tuple[int, int, int, int]:
    """Type, file offset, address, size in the file."""
    if wide:
        what, _, offset, address, _, length = struct.unpack_from(f"{end}IIQQQQ", data, at)
    else:
        what, offset, address, _, length = struct.unpack_from(f"{end}IIIII", data, at)
    return what, offset, address, length


def _file_offset(address: int, loads: list[tuple[int, int, int, int]]) -> int:
    for _, offset, start, length in loads:
        if start <= address < start + length:
            return address - start + offset
    raise ValueError(f"address {address:#x} is in no segment")
