"""`proa up`."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, cluster_paths


@click.command()
@cluster_options
@click.option("--api-port", type=click.IntRange(1, 65535), help="Port of the API. [default: the first free from 6443]")
@click.option("--nodes", type=click.IntRange(0), help="Nodes that run containers. [default: 1 as root]")
@click.option("--simulated-nodes", type=click.IntRange(0), help="Nodes whose pods are simulated; works without root.")
@click.option(
    "--api-arg",
    "api_arguments",
    metavar="NAME=VALUE",
    multiple=True,
    help="An argument of the API server, named as kube-apiserver's flag; kept, NAME= drops it. May be repeated.",
)
@click.option("--set-context", is_flag=True, help="Also merge the cluster into your kubeconfig, as current context.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")
def command(
    name: str,
    data_dir: Path | None,
    api_port: int | None,
    nodes: int | None,
    simulated_nodes: int | None,
    api_arguments: tuple[str, ...],
    set_context: bool,
    quiet: bool,
) -> None:
    """Start the cluster in the background; returns when its API is ready, its nodes are Ready and its DNS answers.

    A cluster that was stopped, killed or rebooted comes back with the same addresses and data. What runs is left alone.
    """
    paths = cluster_paths(name, data_dir)
    from proa.cluster.creation import Wish
    from proa.cluster.up import up

    result = up(
        paths, Wish(name, api_port, nodes, simulated_nodes, api_arguments), tell if not quiet else lambda _, __: None
    )
    if set_context:
        from proa.cli.kubeconfig import merge

        merge(paths, click.echo if not quiet else lambda _: None)
    if quiet:
        return
    verb = "is new and" if result.new else "ran already and is" if not result.started else "is back and"
    click.echo(f"Cluster {name!r} {verb} ready: {result.settings.server_url}")
    if not set_context:
        click.echo(f"export KUBECONFIG={paths.kubeconfig()}")


def tell(words: str, seconds: float) -> None:
    """One step done."""
    click.echo(f"{seconds:7.2f} s  {words}")
