"""`proa demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proa.cli.options import cluster_options, cluster_paths
from proa.cli.up import tell


@click.command()
@cluster_options
def command(name: str, data_dir: Path | None) -> None:
    """Run a two-tier application on a cluster, from nothing: three front ends that ask a back end by its DNS name.

    Starts a cluster if none runs, packs an image from this machine's Python (no registry is needed), deploys, waits
    for the rollout, and fetches the page through a NodePort. The cluster keeps running.
    """
    paths = cluster_paths(name, data_dir)
    from proa.cluster import demo
    from proa.cluster.creation import Wish

    found = demo.run(paths, Wish(name), tell)
    program = "./proa" if sys.argv[0].endswith("main.py") else "proa"
    which = "" if name == "proa" else f" --name {name}"
    kubectl = f"{program} kubectl" if not which else f"{program} kubectl --kubeconfig {paths.kubeconfig()}"
    click.echo(f"\n{found.page}")
    click.echo("Try next:")
    click.echo(f"  {kubectl} -n demo get pods -o wide")
    click.echo(f"  curl {found.url}")
    click.echo(f"  {program} down{which} --purge --verify")
