"""`proa kubeconfig`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from proa.base.errors import ProaError
from proa.cli.options import cluster_options, existing
from proa.cluster.paths import ClusterPaths


@click.command()
@cluster_options
@click.option("--path", "only_path", is_flag=True, help="Print the file's path instead of its content.")
@click.option("--merge", "wants_merge", is_flag=True, help="Add the cluster to your kubeconfig, as current context.")
def command(name: str, data_dir: Path | None, only_path: bool, wants_merge: bool) -> None:
    """Print the kubeconfig of the cluster's administrator. The file is private; yours is touched by --merge only."""
    paths, _ = existing(name, data_dir)
    path = paths.kubeconfig()
    if not path.exists():
        raise ProaError(f"{path} does not exist yet: `proa up` makes it")
    if wants_merge:
        merge(paths, click.echo)
    elif only_path:
        click.echo(path)
    else:
        click.echo(path.read_text(), nl=False)


def merge(paths: ClusterPaths, say: Callable[[str], None]) -> None:
    """Put the cluster's entries into the user's kubeconfig and make its context the current one."""
    from proa.client import kubeconfig

    ours = kubeconfig.read(paths.kubeconfig())
    target = kubeconfig.default_paths()[0]

    def change(document: kubeconfig.Document) -> None:
        for section, inner in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            for entry in ours[section]:
                kubeconfig.set_entry(document, section, entry["name"], entry[inner])
        document["current-context"] = ours["current-context"]

    kubeconfig.edit(target, change)
    say(f"context {ours['current-context']!r} is the current one in {target}")
