"""What a cluster was created with: chosen once, kept in cluster.json, the same after every restart.

Several clusters share a machine, so each gets address ranges and a port that no other cluster of this machine has.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network
from pathlib import Path

import msgspec

from proa.base.errors import ProaError
from proa.cluster.paths import ClusterPaths

DEFAULT_API_PORT = 6443
DEFAULT_KUBELET_PORT = 10250
# Ports above the kubelet's that upstream's components listen on.
_FIRST_OTHER_KUBELET_PORT = 10400
_ROUTES = Path("/proc/net/route")
_RANGES = 100


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """nodes: real nodes on this machine. simulated_nodes: nodes without containers. slot: which set of ranges.
    api_arguments: `NAME=VALUE` texts of `api_arguments`."""

    name: str
    api_port: int
    slot: int = 0
    nodes: int = 1
    simulated_nodes: int = 0
    kubelet_port: int = DEFAULT_KUBELET_PORT
    cluster_domain: str = "cluster.local"
    api_arguments: tuple[str, ...] = ()

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
    def server_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"


class SettingsError(ProaError):
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


def choose(name: str, others: Iterable[Settings], *, api_port: int = 0, routes: Path = _ROUTES) -> Settings:
    """Settings for a new cluster: ranges nothing else on the machine uses, the asked or the first free port.

    Raises SettingsError.
    """
    others = tuple(others)
    taken = {each.slot for each in others}
    networks = _routed(routes)
    free = (each for each in range(_RANGES) if each not in taken and not _overlaps(each, networks))
    slot = next(free, None)
    if slot is None:
        raise SettingsError(f"this machine already has {_RANGES} clusters: remove one with `proa down --purge`")
    reserved = {each.api_port for each in others}
    if api_port:
        holder = next((each.name for each in others if each.api_port == api_port), None)
        if holder is not None:
            raise SettingsError(f"--api-port {api_port} belongs to the cluster {holder!r}: choose another port")
    else:
        api_port = _first_free(range(DEFAULT_API_PORT, DEFAULT_API_PORT + 1000), reserved, "the API")
    kubelet_ports = (DEFAULT_KUBELET_PORT, *range(_FIRST_OTHER_KUBELET_PORT, _FIRST_OTHER_KUBELET_PORT + 1000))
    kubelet_port = _first_free(kubelet_ports, {each.kubelet_port for each in others}, "kubelets")
    return Settings(name=name, api_port=api_port, slot=slot, kubelet_port=kubelet_port)


def _first_free(candidates: Iterable[int], reserved: Collection[int], user: str) -> int:
    found = next((each for each in candidates if each not in reserved and _is_free(each)), None)
    if found is None:
        raise SettingsError(f"no free port for {user}: end something that listens")
    return found


def _overlaps(slot: int, networks: Iterable[IPv4Network]) -> bool:
    ranges = Settings(name="", api_port=0, slot=slot)
    own = [IPv4Network(each) for each in (ranges.pod_cidr, ranges.service_cidr, ranges.node_cidr)]
    return any(each.overlaps(other) for each in own for other in networks)


def _routed(routes: Path) -> list[IPv4Network]:
    """Where the machine's own routes lead, but for the default route (proc_net(5))."""
    found = []
    for line in routes.read_text().splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[at]), "little") for at in (1, 7))
        if mask:
            found.append(IPv4Network((destination & mask, mask.bit_count())))
    return found


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True
