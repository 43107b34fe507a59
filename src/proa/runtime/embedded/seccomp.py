"""Which seccomp filter a container gets: compiled once for each profile and set of capabilities."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path

from proa.linux import capabilities, seccomp
from proa.runtime.protocol import RuntimeFault, SecurityContext

_LOCALHOST = "localhost/"


class SeccompProfiles:
    """`directory` holds the node's own profiles, what a pod's localhostProfile is relative to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def program(self, security: SecurityContext) -> bytes:
        """The filter program, empty for none. RuntimeFault for a profile that is missing or wrong."""
        name = security.seccomp
        if security.privileged or name == "Unconfined":
            return b""
        try:
            granted = capabilities.compute(security.add_capabilities, security.drop_capabilities)
            if name == "RuntimeDefault":
                return _default(granted)
            if not name.startswith(_LOCALHOST):
                raise RuntimeFault(
                    f"seccomp profile {name!r} is unknown: use RuntimeDefault, Unconfined or localhost/<path>",
                    "CreateContainerConfigError",
                )
            path = self._directory / name.removeprefix(_LOCALHOST)  # an absolute path stays one
            return await asyncio.to_thread(_local, path, granted)
        except (ValueError, OSError) as error:
            raise RuntimeFault(f"seccomp profile {name!r}: {error}", "CreateContainerError") from error


@lru_cache(maxsize=64)
def _default(granted: frozenset[str]) -> bytes:
    return seccomp.compile_profile(seccomp.default(granted))


def _local(path: Path, granted: frozenset[str]) -> bytes:
    return seccomp.compile_profile(seccomp.parse(path.read_bytes(), granted))
