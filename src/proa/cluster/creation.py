"""A cluster's beginning: its settings chosen, or those it has compared with what is asked for now."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from proa.base.errors import ProaError
from proa.cluster import processes
from proa.cluster import settings as stored
from proa.cluster.api_arguments import merged
from proa.cluster.paths import ClusterPaths, data_root, known_clusters
from proa.cluster.settings import Settings


class CannotCreateError(ProaError):
    """The cluster cannot be what was asked for; the message says what to ask instead."""


class Wish(msgspec.Struct, frozen=True):
    """What the caller wants; None: as it is, or the default for a new cluster. api_arguments: to change."""

    name: str
    api_port: int | None = None
    nodes: int | None = None
    simulated_nodes: int | None = None
    api_arguments: tuple[str, ...] = ()


def ensure(paths: ClusterPaths, wish: Wish) -> tuple[Settings, Settings | None]:
    """The cluster's settings, brought in line with the wish, and what they were; None for a new cluster.

    Raises CannotCreateError, SettingsError, ArgumentError. To be called under the cluster's lock.
    """
    settings = stored.load(paths)
    if settings is None:
        # Two clusters that begin at once must not choose the same addresses and port.
        with processes.locked(data_root() / "clusters.lock"):
            others = [found for each in known_clusters().values() if (found := stored.load(each)) is not None]
            chosen = stored.choose(wish.name, others, api_port=wish.api_port or 0)
            created = _resized(chosen, wish, new=True)
            _make_known(paths, wish.name)
            stored.save(paths, created)
        return created, None
    if settings.name != wish.name:
        raise CannotCreateError(f"{paths.root} holds the cluster {settings.name!r}: use --name {settings.name}")
    if wish.api_port and wish.api_port != settings.api_port:
        raise CannotCreateError(
            f"the cluster {settings.name!r} has its API on port {settings.api_port}, which its certificates and "
            f"kubeconfigs name: start it without --api-port, or create another with --name"
        )
    resized = _resized(settings, wish, new=False)
    if resized != settings:
        stored.save(paths, resized)
    _make_known(paths, wish.name)
    return resized, settings


def _resized(settings: Settings, wish: Wish, *, new: bool) -> Settings:
    privileged = os.geteuid() == 0
    simulated = settings.simulated_nodes if wish.simulated_nodes is None else wish.simulated_nodes
    if wish.nodes is not None:
        nodes = wish.nodes
    elif new and (not privileged or simulated):
        nodes = 0
    else:
        nodes = settings.nodes
    if nodes < settings.nodes and not new:
        raise CannotCreateError(
            f"the cluster {settings.name!r} has {settings.nodes} nodes, whose pods would be lost: it can get more, or "
            "be made anew after `proa down --purge`"
        )
    if nodes and not privileged:
        raise CannotCreateError(
            "a node runs containers, which needs root; without it, `proa up --simulated-nodes 3` gives a whole control "
            "plane with nodes whose pods are simulated (`proa doctor` says what else this machine allows)"
        )
    if not nodes and not simulated and not privileged:
        raise CannotCreateError(
            "without root a cluster has no nodes that run containers: say `proa up --simulated-nodes 3` for a whole "
            "control plane with simulated nodes, or run `sudo proa up`"
        )
    arguments = merged(settings.api_arguments, wish.api_arguments)
    return msgspec.structs.replace(settings, nodes=nodes, simulated_nodes=simulated, api_arguments=arguments)


def _make_known(paths: ClusterPaths, name: str) -> None:
    """Let the name alone lead to a directory of the user's choice."""
    link = data_root() / "clusters" / name
    if link == paths.root or (link.exists() and link.resolve() == paths.root.resolve()):
        return
    if link.is_symlink() and not (link / "cluster.json").exists():
        link.unlink()
    if link.exists():
        raise CannotCreateError(
            f"there is a cluster {name!r} in {Path(link).resolve()} already: choose another --name for {paths.root}"
        )
    link.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    link.symlink_to(paths.root)
