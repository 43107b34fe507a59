"""What a cluster was created with: chosen once, kept in cluster.json, the same after every restart.

Several clusters share a machine, so each gets address ranges and a port that no other cluster of this machine has.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

import msgspec

from proa.cluster.paths import ClusterPaths

DEFAULT_API_PORT = 6443
_RANGES = 100


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """nodes: real nodes on this machine. simulated_nodes: nodes without containers. slot: which set of ranges."""

    name: str
    api_port: int
    slot: int = 0
    nodes: int = 1
    simulated_nodes: int = 0
    cluster_domain: str = "cluster.local"

    @property
    def pod_cidr(self) -> str:
        """A /16 of which each node takes a /24."""
        return f"10.{244 - self.slot}.0.0/16"

    @property
    def service_cidr(self) -> str:
        return f"10.{96 - self.slot}.0.0/16" if self.slot < 90 else f"172.{self.slot - 74}.0.0/16"

    @property
    def node_cidr(self) -> str:
        """Addresses of nodes in namespaces of their own; the first is the machine's."""
        return f"10.254.{self.slot}.0/24"

    @property
    def api_service_address(self) -> str:
        """The `kubernetes` Service: the first address of the service range."""
        return str(IPv4Network(self.service_cidr)[1])

    @property
    def dns_address(self) -> str:
        return str(IPv4Network(self.service_cidr)[10])

    @property
    def kubelet_port(self) -> int:
        """Upstream's port for the first cluster of a machine, one of its own for any other."""
        return 10250 if self.slot == 0 else 10400 + self.slot

    @property
    def server_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"


class SettingsError(Exception):
    """cluster.json cannot be used, or the machine has no room for another cluster."""


def load(paths: ClusterPaths) -> Settings | None:
    """The settings of an existing cluster, None where there is none. Raises SettingsError."""
    try:
        raw = paths.settings.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(raw, type=Settings)
    except msgspec.MsgspecError as error:
        raise SettingsError(
            f"{paths.settings}: {error}: restore the file, or remove the cluster's directory"
        ) from error


def save(paths: ClusterPaths, settings: Settings) -> None:
    """Replace cluster.json atomically."""
    paths.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(paths.settings, msgspec.json.format(msgspec.json.encode(settings)) + b"\n")


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a whole file so that it is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def choose(name: str, others: Iterable[Settings], *, api_port: int = 0) -> Settings:
    """Settings for a new cluster: the first free slot, and the asked or the first free port. Raises SettingsError."""
    others = tuple(others)
    taken = {each.slot for each in others}
    slot = next((each for each in range(_RANGES) if each not in taken), None)
    if slot is None:
        raise SettingsError(f"this machine already has {_RANGES} clusters: remove one with `proa down --purge`")
    reserved = {each.api_port for each in others}
    if api_port:
        holder = next((each.name for each in others if each.api_port == api_port), None)
        if holder is not None:
            raise SettingsError(f"--api-port {api_port} belongs to the cluster {holder!r}: choose another port")
        return Settings(name=name, api_port=api_port, slot=slot)
    candidates = range(DEFAULT_API_PORT, DEFAULT_API_PORT + 1000)
    port = next((each for each in candidates if each not in reserved and _is_free(each)), None)
    if port is None:
        raise SettingsError("no free port for the API: choose one with --api-port")
    return Settings(name=name, api_port=port, slot=slot)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True
