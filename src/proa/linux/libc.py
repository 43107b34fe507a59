"""The one ctypes binding to the C library: a call that fails raises OSError with its errno.

Every other module of this package goes through `call` and `syscall`; none loads a library itself. System call numbers
above 423 are the same on every architecture, so the newer calls are made by number.
"""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def call(name: str, *arguments: object, path: str | None = None) -> int:
    """Call a C library function that answers -1 with errno; integers are passed as C long."""
    result = int(getattr(_libc, name)(*map(_convert, arguments)))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", path)
    return result


def syscall(number: int, name: str, *arguments: object, path: str | None = None) -> int:
    """Make a system call by number; `name` is for the error."""
    result = int(_libc.syscall(ctypes.c_long(number), *map(_convert, arguments)))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}", path)
    return result


def _convert(value: object) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def pack(data: bytes) -> ctypes.Array[ctypes.c_char]:
    """A C buffer that holds `data`; keep it alive during the call."""
    return ctypes.create_string_buffer(data, len(data))


def address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)
