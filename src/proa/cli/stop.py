"""`proa stop`."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, existing
from proa.cli.up import tell


@click.command()
@cluster_options
def command(name: str, data_dir: Path | None) -> None:
    """Stop the cluster's server and agents.

    Pods keep running, with their network, and `proa up` finds them again; until then nobody restarts or reschedules
    them. `proa down` ends them, too.
    """
    paths, _ = existing(name, data_dir)
    from proa.cluster.down import stop

    if not stop(paths, tell):
        click.echo("nothing runs")
