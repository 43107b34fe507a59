"""`proa down`."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, existing
from proa.cli.up import tell


@click.command()
@cluster_options
@click.option("--purge", is_flag=True, help="Also delete the cluster's data; images stay, other clusters share them.")
@click.option("--verify", is_flag=True, help="List what differs from the machine as it was before the cluster.")
def command(name: str, data_dir: Path | None, purge: bool, verify: bool) -> int:
    """Stop everything of the cluster, its pods included, and remove every kernel object it made.

    Its data stays, and `proa up` brings it back, unless --purge is given. Exit code 1: something is left.
    """
    paths, settings = existing(name, data_dir)
    from proa.cluster.down import down

    result = down(paths, settings, tell, purge=purge, check=verify)
    for fault in result.faults:
        click.echo(f"proa: could not remove {fault}", err=True)
    if result.left is not None:
        for line in result.left:
            click.echo(line)
        click.echo(f"{len(result.left)} differences" if result.left else "verified: nothing is left over")
    return 1 if result.faults or result.left else 0
