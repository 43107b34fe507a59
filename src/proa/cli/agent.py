"""`proa agent`: one node in the foreground, as systemd wants it (Type=notify)."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, existing
from proa.cli.server import LEVELS


@click.command()
@cluster_options
@click.option("--node-name", default="", metavar="NODE", help="Default: the cluster's first node.")
@click.option("--server", "server_url", default="", metavar="URL", help="Default: this machine's own server.")
@click.option("--log-level", type=LEVELS, default="info", show_default=True)
@click.option("--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Instead of stderr; rotated.")
def command(
    name: str, data_dir: Path | None, node_name: str, server_url: str, log_level: str, log_file: Path | None
) -> None:
    """Run one node (kubelet, service proxy, DNS) in the foreground until SIGTERM or Ctrl-C.

    Its pods keep running when it stops; the next agent of the same node finds them again. Needs root.
    """
    paths, settings = existing(name, data_dir)
    from proa.cluster import imports

    imports.prepare()
    from proa.cluster import foreground, processes
    from proa.cluster.agent import enter_node, run_agent

    node = node_name or processes.node_names(settings)[0]
    enter_node(paths, settings, node)
    foreground.run(
        paths,
        processes.agent(node),
        lambda report: run_agent(paths, settings, node, server_url=server_url, report=report),
        ready_on="node-ready",
        level=log_level,
        log_file=log_file,
    )
