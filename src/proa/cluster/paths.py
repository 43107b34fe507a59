"""Where a cluster's files are: one directory holds everything that belongs to it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from proa.base.errors import ProaError

DEFAULT_NAME = "proa"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


class InvalidNameError(ProaError, ValueError):
    """A cluster's name becomes part of link, table and cgroup names, so it is kept short and plain."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"invalid cluster name {name!r}: use at most 32 lower case letters, digits and '-',"
            " starting and ending with a letter or digit"
        )


def data_root() -> Path:
    """The directory of all clusters: /var/lib/proa for root, below the user's data directory otherwise."""
    chosen = os.environ.get("PROA_DATA_ROOT")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/proa")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "proa"


class ClusterPaths(msgspec.Struct, frozen=True):
    """The layout below one cluster's data directory."""

    root: Path

    @classmethod
    def of(cls, name: str, data_dir: Path | None = None) -> ClusterPaths:
        """Raises InvalidNameError."""
        if not _NAME.fullmatch(name):
            raise InvalidNameError(name)
        return cls((data_dir or data_root() / "clusters" / name).absolute())

    @property
    def settings(self) -> Path:
        return self.root / "cluster.json"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def store(self) -> Path:
        return self.root / "store.db"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Process identities and sockets: worthless after a reboot."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held while the cluster's set of processes is being changed."""
        return self.root / "lock"

    def kubeconfig(self, user: str = "admin") -> Path:
        return self.root / f"{user}.kubeconfig" if user != "admin" else self.root / "kubeconfig"

    def node(self, name: str) -> Path:
        """Everything one node keeps: pods, addresses, sandboxes."""
        return self.root / "nodes" / name

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"


def images_root() -> Path:
    """The image store, shared by every cluster of this user on the machine."""
    return data_root() / "images"


def known_clusters() -> dict[str, ClusterPaths]:
    """Every cluster below the data root that has settings, by name; one with a directory of its own is a link there."""
    directory = data_root() / "clusters"
    if not directory.is_dir():
        return {}
    found = {each.name: ClusterPaths(each.resolve()) for each in sorted(directory.iterdir())}
    return {name: paths for name, paths in found.items() if paths.settings.exists()}
