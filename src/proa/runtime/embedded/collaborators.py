"""What the embedded runtime asks of others: the pod network, the image store and the teardown journal.

Only protocols and the values they exchange belong here; `proa.net`, `proa.oci` and `proa.cluster` implement them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proa.runtime.protocol import PortMapping


class PodAddresses(Protocol):
    """What a pod got: its addresses, the primary one first."""

    @property
    def ips(self) -> tuple[str, ...]: ...


class PodNetwork(Protocol):
    """Connects a sandbox's network namespace to the pod network."""

    async def attach(
        self, sandbox_id: str, netns: Path, *, namespace: str, name: str, port_mappings: Sequence[PortMapping]
    ) -> PodAddresses:
        """Make the interface in `netns` (a path that setns accepts) and give it addresses. Undo on failure."""

    async def detach(self, sandbox_id: str) -> None:
        """Give back link, addresses and port mappings. Idempotent, also when the namespace has gone."""


class ResolvedImage(Protocol):
    """An image in the local store, as a container needs it (OCI image-spec config)."""

    @property
    def id(self) -> str:
        """The config digest."""

    @property
    def digest_reference(self) -> str:
        """`name@sha256:...`, what a container status reports as imageID."""

    @property
    def lowerdirs(self) -> tuple[Path, ...]:
        """The unpacked layers, topmost first, in overlayfs form (whiteout devices, opaque xattrs)."""

    @property
    def entrypoint(self) -> tuple[str, ...]: ...
    @property
    def cmd(self) -> tuple[str, ...]: ...
    @property
    def env(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def working_dir(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def stop_signal(self) -> str: ...
    @property
    def volumes(self) -> tuple[str, ...]: ...


class ImageStore(Protocol):
    async def resolve(self, reference: str) -> ResolvedImage:
        """The image by tag, digest reference or id; raises `protocol.NotFoundError` when it is not local."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The plain `PodAddresses`."""

    ips: tuple[str, ...] = ()


class HostNetwork:
    """A pod network that connects nothing: for tests and for nodes whose pods all use the host's network."""

    async def attach(
        self, sandbox_id: str, netns: Path, *, namespace: str, name: str, port_mappings: Sequence[PortMapping]
    ) -> PodAddresses:
        return Addresses()

    async def detach(self, sandbox_id: str) -> None:
        return None
