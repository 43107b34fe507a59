"""`proa status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proa.cli.options import cluster_options, existing

if TYPE_CHECKING:
    from proa.cluster.status import ClusterStatus


@click.command()
@cluster_options
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text")
def command(name: str, data_dir: Path | None, output: str) -> int:
    """Show what runs, what it uses, and whether the API is well. Exit code 1: something is not as it should be."""
    paths, settings = existing(name, data_dir)
    from proa.cluster.status import status

    found = status(paths, settings)
    if output == "json":
        import json
        from dataclasses import asdict

        click.echo(json.dumps({**asdict(found), "running": found.running, "well": found.well}, indent=2))
    else:
        _show(found)
    return 0 if found.well else 1


def _show(found: ClusterStatus) -> None:
    from proa.kubectl.printing import columns

    click.echo(f"Cluster {found.name!r} in {found.root}")
    click.echo(f"API {found.server}: {found.api_fault or 'ready'}")
    if any(each.name.startswith("agent-") for each in found.components):
        click.echo(f"DNS {found.dns_address}: {found.dns_fault or 'answers'}")
    click.echo(f"Pods {found.pod_cidr}, Services {found.service_cidr}, store {_size(found.store)}")
    click.echo()
    rows = [("COMPONENT", "PID", "UPTIME", "MEMORY", "CPU")]
    for each in found.components:
        if not each.pid:
            rows.append((each.name, "-", "does not run", "", ""))
            continue
        cpu = f"{each.cpu:.1f} s ({each.cpu_share:.1%})"
        rows.append((each.name, str(each.pid), duration(each.uptime), _size(each.resident), cpu))
    if found.pod_processes:
        rows.append((f"pods ({found.pod_processes} processes)", "", "", _size(found.pod_resident), ""))
    for line in columns(rows):
        click.echo(line)
    if found.nodes:
        click.echo()
        nodes = [("NODE", "STATUS", "ADDRESS", "PODS")]
        for node in found.nodes:
            state = "Ready" if node.ready else "NotReady"
            nodes.append((node.name, state, node.addresses.get("InternalIP", "-"), node.pod_cidr or "-"))
        for line in columns(nodes):
            click.echo(line)


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def duration(seconds: float) -> str:
    """Two units at most: `3d4h`, `5m10s`, `12s`."""
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts or unit == "s":
            parts.append(f"{int(count)}{unit}")
    return "".join(parts[:2])
