"""A host of the test's own (a network namespace), pods in it, and what they say to each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from proa.linux.namespaces import setns, unshare
from proa.net import rtnetlink as rt
from proa.net.protocol import NetworkConfig
from proa.net.routed import RoutedNetwork

CLONE_NEWNET = 0x40000000
HOLD = "import sys; print(flush=True); sys.stdin.read()"
SERVE = """
import socket
s = socket.create_server(("", {port})); print(flush=True)
while True:
    c, peer = s.accept(); c.sendall(f"{name} {{peer[0]}}".encode()); c.close()
"""
SERVE_UDP = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", {port})); print(flush=True)
while True:
    data, peer = s.recvfrom(99); s.sendto(f"{name} {{peer[0]}}".encode(), peer)
"""
ASK = "import socket; s = socket.create_connection(({host!r}, {port}), 3); print(s.recv(99).decode())"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.root)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="needs root"))


class Pod:
    """A process in a network namespace of its own, and servers there."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ("unshare", "-n", sys.executable, "-c", HOLD), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        self._process.stdout.readline()
        self._servers: list[subprocess.Popen[str]] = []

    @property
    def netns(self) -> Path:
        return Path(f"/proc/{self._process.pid}/ns/net")

    def _inside(self, code: str) -> tuple[str, ...]:
        return ("nsenter", f"--net={self.netns}", sys.executable, "-c", code)

    def serve(self, port: int, name: str, *, udp: bool = False) -> None:
        """Answer every connection (or datagram) with the name and the client's address."""
        code = (SERVE_UDP if udp else SERVE).format(port=port, name=name)
        server = subprocess.Popen(self._inside(code), stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout
        server.stdout.readline()

    def run(self, code: str) -> str:
        """What Python text prints in the pod; RuntimeError with the last line of its complaint."""
        result = subprocess.run(self._inside(code), capture_output=True, text=True, check=False, timeout=20)
        if result.returncode:
            raise RuntimeError(result.stderr.strip().splitlines()[-1])
        return result.stdout.strip()

    def ask(self, host: str, port: int) -> str:
        """What a server answers; RuntimeError with the reason."""
        return self.run(ASK.format(host=host, port=port))

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()
        self._process.communicate(b"")


class Host:
    """The test's own side."""

    @staticmethod
    def ask(host: str, port: int) -> str:
        with socket.create_connection((host, port), 3) as connection:
            return connection.recv(99).decode()

    @staticmethod
    def nft(*arguments: str, script: str = "") -> str:
        """What nft prints."""
        return subprocess.run(("nft", *arguments), input=script, capture_output=True, text=True, check=True).stdout

    @staticmethod
    def links() -> set[str]:
        with rt.Socket() as sock:
            return {link.name for link in sock.links()}


class Recorder:
    """A journal that must never be behind: what is made is recorded, what is gone forgotten."""

    def __init__(self) -> None:
        self.objects: set[tuple[str, str]] = set()

    def record(self, kind: str, identity: str) -> None:
        self.objects.add((kind, identity))

    def forget(self, kind: str, identity: str) -> None:
        self.objects.discard((kind, identity))


@pytest.fixture
def host() -> Iterator[Host]:
    """The test's thread, and threads it starts, are in a fresh network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    with rt.Socket() as sock:
        sock.send(rt.link_up(1))
    yield Host()
    setns(before, CLONE_NEWNET)
    os.close(before)


@pytest.fixture
def pods() -> Iterator[Callable[[], Pod]]:
    made: list[Pod] = []

    def make() -> Pod:
        made.append(Pod())
        return made[-1]

    yield make
    for pod in made:
        pod.close()


@pytest.fixture
def journal() -> Recorder:
    return Recorder()


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., NetworkConfig]:
    def make(cluster: str = "test", third: int = 0) -> NetworkConfig:
        return NetworkConfig(
            cluster,
            IPv4Network(f"10.244.{third}.0/24"),
            IPv4Network("10.244.0.0/16"),
            tmp_path / cluster,
            IPv4Network("10.96.0.0/16"),
        )

    return make


@pytest.fixture
async def network(host: Host, config: Callable[..., NetworkConfig], journal: Recorder) -> AsyncIterator[RoutedNetwork]:
    network = RoutedNetwork(config(), journal)
    await network.setup()
    yield network
    await network.teardown()
    await network.close()
