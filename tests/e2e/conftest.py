"""One cluster for all tests here, started by the command users start theirs with, and proven gone afterwards.

Needs root, the stock kubectl, curl and a static busybox. Each test gets a namespace of its own; images are packed from
programs of this machine.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from tests.e2e.kubectl import Kubectl

from proa.cluster.paths import ClusterPaths
from proa.oci.pack import pack
from proa.oci.store import ImageStore


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and {"cluster", "nodeless"} & {*item.fixturenames}:
            item.add_marker(pytest.mark.root)


@dataclass(frozen=True)
class Cluster:
    """A cluster of this machine, and the commands that change its processes."""

    name: str
    root: Path

    @property
    def paths(self) -> ClusterPaths:
        return ClusterPaths(self.root / "clusters" / self.name)

    @property
    def node(self) -> str:
        return f"{self.name}-node-1"

    @property
    def kubeconfig(self) -> Path:
        return self.paths.kubeconfig()

    def proa(self, *arguments: str, seconds: float = 60) -> str:
        command = (sys.executable, "-m", "proa.cli.main", *arguments, "--name", self.name)
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, "PROA_DATA_ROOT": str(self.root)},
        )
        assert result.returncode == 0, f"proa {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def pid(self, component: str) -> int:
        return int((self.paths.run / f"{component}.pid").read_text().split()[0])


@contextmanager
def running(name: str, *options: str, images: bool = False) -> Iterator[Cluster]:
    """A new cluster in a data root of its own; its logs are kept when it cannot be taken down as usual."""
    missing = [each for each in ("kubectl", "busybox", "curl") if shutil.which(each) is None]
    if os.geteuid() or missing:
        pytest.skip(f"needs root and the programs kubectl, curl and busybox; missing: {', '.join(missing) or 'root'}")
    root = Path(tempfile.mkdtemp(prefix="proa-e2e-"))
    cluster = Cluster(name, root)
    try:
        if images:
            pack_images(root / "images")
        cluster.proa("up", f"--api-port={_port()}", *options)
        yield cluster
        cluster.proa("down", "--purge")
    finally:
        if cluster.paths.root.exists():
            keep_logs(cluster)
            cluster.proa("down", "--purge")
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running(f"e2e{os.getpid()}", images=True) as started:
        yield started


def _port() -> int:
    """A free port that no cluster takes by itself while ours is down, nor any client (below the ephemeral range)."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def keep_logs(cluster: Cluster) -> None:
    """What the components said, for whoever has to find out what went wrong."""
    kept = Path(tempfile.gettempdir()) / f"{cluster.name}-logs"
    shutil.copytree(cluster.paths.logs, kept, dirs_exist_ok=True)
    print(f"the components' logs are in {kept}", file=sys.stderr)


def pack_images(root: Path) -> None:
    """bb:1 and bb:2: busybox under all its names; they differ in $VERSION. client:1: kubectl and curl with a shell."""
    busybox, kubectl = shutil.which("busybox") or "", os.path.realpath(shutil.which("kubectl") or "")
    applets = subprocess.run((busybox, "--list"), capture_output=True, text=True, check=True).stdout.split()

    async def pack_all(links: str) -> None:
        store = ImageStore(root)
        for name, version in (("bb:1", "1"), ("bb:2", "2")):
            await pack(store, name, [busybox], add=[(links, "/usr/bin")], cmd=["sh"], env=[("VERSION", version)])
        add = [(links, "/usr/bin"), (kubectl, "/usr/local/bin/kubectl")]
        await pack(store, "client:1", [busybox, "curl"], add=add, cmd=["sh"])
        await store.close()

    with tempfile.TemporaryDirectory() as links:
        for applet in applets:
            if applet != "busybox":
                (Path(links) / applet).symlink_to(busybox)
        asyncio.run(pack_all(links))


_numbers = count(1)


@pytest.fixture
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    """kubectl in a new namespace, with an administrator's rights."""
    name = f"test-{next(_numbers)}"
    kubectl = Kubectl(cluster.kubeconfig, name)
    kubectl("create", "namespace", name)
    yield kubectl
    kubectl("delete", "namespace", name, "--wait=false")
