"""A whole cluster to measure: one of our own by `proa up`, and the processes of any on this machine.

Not here: load on an API server (`subject`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from proa.client import kubeconfig
from proa.cluster import settings as settings_module
from proa.cluster.paths import ClusterPaths, images_root, known_clusters
from proa.cluster.settings import Settings

PROA = (sys.executable, "-m", "proa.cli.main")
IMAGE = "localhost/proa-bench:1"
_BUSYBOX = "/bin/busybox"


class UnusableError(Exception):
    """The bench cannot measure this; the message says what it can."""


@dataclass(frozen=True, slots=True)
class Cluster:
    paths: ClusterPaths
    settings: Settings

    @property
    def kubeconfig(self) -> Path:
        return self.paths.kubeconfig()


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--commands", default="", metavar="NAMES", help="instead of a proa cluster, the processes of these commands"
    )


@contextlib.asynccontextmanager
async def own() -> AsyncIterator[Cluster]:
    """A new cluster, ready; everything of it is gone afterwards. Raises UnusableError when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="proa-bench-") as temporary:
        name = f"bench-{os.getpid()}"
        paths = ClusterPaths.of(name, Path(temporary) / "cluster")
        try:
            await proa("up", "--quiet", "--name", name, "--data-dir", str(paths.root))
            settings = settings_module.load(paths)
            assert settings is not None
            yield Cluster(paths, settings)
        finally:
            if paths.settings.exists():
                await proa("down", "--purge", "--name", name, "--data-dir", str(paths.root))


async def proa(*arguments: str) -> str:
    """Run a command of proa; what it said. Raises UnusableError with that when it fails."""
    child = await asyncio.create_subprocess_exec(
        *PROA, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await child.communicate())[0].decode(errors="replace")
    if child.returncode:
        raise UnusableError(f"proa {arguments[0]} ended with code {child.returncode}:\n{said}")
    return said


def of_kubeconfig(path: Path) -> Cluster:
    """The proa cluster of this machine that a kubeconfig leads to. Raises UnusableError."""
    server = kubeconfig.load([path]).connection().server
    for paths in known_clusters().values():
        settings = settings_module.load(paths)
        if settings is not None and settings.server_url == server:
            return Cluster(paths, settings)
    raise UnusableError(f"{server} is no proa cluster of this machine: name its processes with --commands")


@contextlib.asynccontextmanager
async def measured(options: argparse.Namespace) -> AsyncIterator[Cluster]:
    """The cluster of --kubeconfig, or one of our own."""
    if options.kubeconfig:
        yield of_kubeconfig(Path(options.kubeconfig))
    else:
        async with own() as cluster:
            yield cluster


def processes(cluster: Cluster) -> dict[str, list[psutil.Process]]:
    """The cluster's own processes by what they are; what runs inside containers is not the cluster's."""
    found: dict[str, list[psutil.Process]] = {}
    root = str(cluster.paths.root)
    shims = f"proa/{cluster.settings.name}/"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            arguments = process.cmdline()
            if root in arguments and "proa.cli.main" in arguments:
                found.setdefault(arguments[arguments.index("proa.cli.main") + 1], []).append(process)
            elif any(each.startswith(shims) for each in arguments):
                found.setdefault("zygote and shims", []).append(process)
    return found


def named(commands: str) -> dict[str, list[psutil.Process]]:
    """The processes of the commands in a list with commas. Raises UnusableError for a command that does not run."""
    wanted = commands.split(",")
    found: dict[str, list[psutil.Process]] = {name: [] for name in wanted}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() in found:
                found[process.name()].append(process)
    for name, those in found.items():
        if not those:
            raise UnusableError(f"no process is called {name}")
    return found


def alive(found: dict[str, list[psutil.Process]]) -> Iterator[psutil.Process]:
    for those in found.values():
        yield from those


async def pack_image() -> str:
    """An image of the host's busybox in proa's store; its name. Raises UnusableError without a busybox."""
    if not os.access(_BUSYBOX, os.X_OK):
        raise UnusableError(f"there is no {_BUSYBOX}: install busybox-static, or name an image with --image")
    from proa.oci.pack import pack
    from proa.oci.store import ImageStore

    store = ImageStore(images_root())
    try:
        await pack(store, IMAGE, [_BUSYBOX], entrypoint=[_BUSYBOX], env=[("PATH", "/bin")])
    finally:
        await store.close()
    return IMAGE
