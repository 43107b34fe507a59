"""`proa logs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from proa.base.errors import ProaError
from proa.cli.options import cluster_options, existing


@click.command()
@click.argument("component", required=False)
@cluster_options
@click.option("-f", "--follow", is_flag=True, help="Go on as it writes.")
@click.option("--tail", type=click.IntRange(0), help="Only the last lines.")
def command(component: str | None, name: str, data_dir: Path | None, follow: bool, tail: int | None) -> None:
    """Print the log of a COMPONENT (server, agent-NODE; `agent` is the first node's). Without one, list them."""
    paths, _ = existing(name, data_dir)
    known = sorted(each.stem for each in paths.logs.glob("*.log"))
    if component is None:
        for each in known:
            click.echo(each)
        return
    if component == "agent":
        component = next((each for each in known if each.startswith("agent-")), component)
    path = paths.log(component)
    if not path.exists():
        raise ProaError(f"no log of {component!r}; there are: {', '.join(known) or 'none'}")
    lines = path.read_bytes().splitlines(keepends=True)
    _write(b"".join(lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]))
    if follow:
        _follow(path, sum(map(len, lines)))


def _follow(path: Path, offset: int) -> None:
    """What is written from now on; over rotations, too."""
    import asyncio

    import asyncinotify

    async def copy() -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(descriptor, offset, os.SEEK_SET)
        changes = asyncinotify.Mask.MODIFY | asyncinotify.Mask.CREATE | asyncinotify.Mask.MOVED_TO
        with asyncinotify.Inotify() as notify:
            notify.add_watch(path.parent, changes)
            while True:
                while data := os.read(descriptor, 1 << 16):
                    _write(data)
                event = await notify.get()
                if event.mask & ~asyncinotify.Mask.MODIFY and event.name is not None and event.name.name == path.name:
                    os.close(descriptor)
                    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    asyncio.run(copy())


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
