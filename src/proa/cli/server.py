"""`proa server`: the control plane in the foreground, as systemd wants it (Type=notify)."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, cluster_paths
from proa.cluster import settings as stored

LEVELS = click.Choice(("debug", "info", "warning", "error"))


@click.command()
@cluster_options
@click.option("--log-level", type=LEVELS, default="info", show_default=True)
@click.option("--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Instead of stderr; rotated.")
def command(name: str, data_dir: Path | None, log_level: str, log_file: Path | None) -> None:
    """Run the control plane of a cluster in the foreground until SIGTERM or Ctrl-C.

    A cluster that does not exist is created. Reports readiness as sd_notify(3) does.
    """
    paths = cluster_paths(name, data_dir)
    from proa.cluster import imports

    imports.prepare()
    from proa.cluster import creation, foreground, processes
    from proa.cluster.server import run_server

    settings = stored.load(paths)
    if settings is None:
        with processes.changing(paths):
            settings, _ = creation.ensure(paths, creation.Wish(name))

    foreground.run(
        paths,
        processes.SERVER,
        lambda report: run_server(paths, settings, report=report),
        ready_on="scheduler-ready",
        level=log_level,
        log_file=log_file,
    )
