"""The options several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from proa.base.errors import ProaError
from proa.cluster import settings as settings_module
from proa.cluster.paths import DEFAULT_NAME, ClusterPaths, InvalidNameError, known_clusters
from proa.cluster.settings import Settings


class NoSuchClusterError(ProaError):
    """There is no cluster of this name here."""


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--name and --data-dir."""
    function = click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Where the cluster's files are, if not in the usual place.",
    )(function)
    return click.option(
        "--name", default=DEFAULT_NAME, show_default=True, metavar="NAME", help="Which of this machine's clusters."
    )(function)


def cluster_paths(name: str, data_dir: Path | None) -> ClusterPaths:
    """Where a cluster of this name is or would be. A directory chosen at its creation is found again by the name."""
    try:
        paths = ClusterPaths.of(name, data_dir)
    except InvalidNameError as error:
        raise click.UsageError(f"--name: {error}") from error
    if data_dir is None and (found := known_clusters().get(name)) is not None:
        return found
    return paths


def existing(name: str, data_dir: Path | None) -> tuple[ClusterPaths, Settings]:
    """A cluster that was created before. Raises NoSuchClusterError."""
    paths = cluster_paths(name, data_dir)
    settings = settings_module.load(paths)
    if settings is None:
        others = ", ".join(known_clusters())
        hint = f"; there is: {others}" if others else ""
        raise NoSuchClusterError(f"there is no cluster {name!r} ({paths.root}): `proa up` makes one{hint}")
    return paths, settings
