"""`proa server`: the control plane in the foreground, as systemd wants it (Type=notify)."""

from __future__ import annotations

from pathlib import Path

import click

from proa.cli.options import cluster_options, existing

LEVELS = click.Choice(("debug", "info", "warning", "error"))


@click.command()
@cluster_options
@click.option("--log-level", type=LEVELS, default="info", show_default=True)
@click.option("--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Instead of stderr; rotated.")
def command(name: str, data_dir: Path | None, log_level: str, log_file: Path | None) -> None:
    """Run the control plane of a cluster in the foreground until SIGTERM or Ctrl-C.

    The cluster must have been created by `proa up` before. Reports readiness as sd_notify(3) does.
    """
    paths, settings = existing(name, data_dir)
    from proa.cluster import foreground, processes
    from proa.cluster.server import run_server

    foreground.run(
        paths,
        processes.SERVER,
        lambda report: run_server(paths, settings, report=report),
        ready_on="scheduler-ready",
        level=log_level,
        log_file=log_file,
    )
