"""The routed pod network on real kernel objects, in a network namespace of the test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from proa.linux.namespaces import setns, unshare
from proa.net import names
from proa.net import rtnetlink as rt
from proa.net.protocol import NetworkConfig, NetworkError, Peer
from proa.net.routed import RoutedNetwork

CLONE_NEWNET = 0x40000000
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

HOLD = "import os, sys; print(flush=True); sys.stdin.read()"


class Pod:
    """A process in a network namespace of its own; `run` runs Python text there."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ("unshare", "-n", sys.executable, "-c", HOLD), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        self._process.stdout.readline()

    @property
    def netns(self) -> Path:
        return Path(f"/proc/{self._process.pid}/ns/net")

    def start(self, code: str) -> subprocess.Popen[str]:
        """Python text in the pod; returns once it has printed a line."""
        command = ("nsenter", f"--net={self.netns}", sys.executable, "-c", code)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        process.stdout.readline()
        return process

    def run(self, code: str) -> str:
        command = ("nsenter", f"--net={self.netns}", sys.executable, "-c", code)
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    def close(self) -> None:
        self._process.communicate(b"")


SERVE = """
import socket
s = socket.create_server(("", {port})); print(flush=True)
while True:
    c, peer = s.accept(); c.sendall(f"{name} {{peer[0]}}".encode()); c.close()
"""
ASK = "import socket; s = socket.create_connection(({host!r}, {port}), 3); print(s.recv(99).decode())"


@pytest.fixture
def host() -> Iterator[None]:
    """The test's thread, and threads it starts, in a fresh network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    with rt.Socket() as sock:
        sock.send(rt.link_up(1))
    yield
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


@dataclass
class Recorder:
    """A journal that must never be behind: what is made is recorded, what is gone forgotten."""

    def __init__(self) -> None:
        self.objects: set[tuple[str, str]] = set()

    def record(self, kind: str, identity: str) -> None:
        self.objects.add((kind, identity))

    def forget(self, kind: str, identity: str) -> None:
        self.objects.discard((kind, identity))


@pytest.fixture
def journal() -> Recorder:
    return Recorder()


def config(path: Path, cluster: str = "test", third: int = 0) -> NetworkConfig:
    return NetworkConfig(
        cluster,
        IPv4Network(f"10.244.{third}.0/24"),
        IPv4Network("10.244.0.0/16"),
        path / cluster,
        IPv4Network("10.96.0.0/16"),
    )


@pytest.fixture
async def network(host: None, tmp_path: Path, journal: Recorder) -> AsyncIterator[RoutedNetwork]:
    network = RoutedNetwork(config(tmp_path), journal)
    await network.setup()
    yield network
    await network.teardown()
    await network.close()


def nft(*arguments: str, script: str = "") -> str:
    """What nft prints, in the namespace of the test."""
    return subprocess.run(("nft", *arguments), input=script, capture_output=True, text=True, check=True).stdout


def link_names() -> set[str]:
    with rt.Socket() as sock:
        return {link.name for link in sock.links()}


@dataclass(frozen=True)
class Mapping:
    host_port: int
    container_port: int
    protocol: str = "TCP"
    host_ip: str = ""


async def attach(network: RoutedNetwork, pod: Pod, name: str, **more: Any) -> str:
    addresses = await network.attach(f"sandbox-{name}", pod.netns, namespace="default", name=name, **more)
    return addresses.ips[0]


def ask_here(address: str, port: int) -> str:
    with socket.create_connection((address, port), 3) as connection:
        return connection.recv(99).decode()


async def test_a_pod_reaches_its_neighbour_and_the_host(network: RoutedNetwork, pods: Callable[[], Pod]) -> None:
    one, two = pods(), pods()
    first, second = await attach(network, one, "one"), await attach(network, two, "two")
    server = one.start(SERVE.format(port=80, name="one"))
    try:
        assert two.run(ASK.format(host=first, port=80)) == f"one {second}"
        assert ask_here(first, 80) == "one 10.244.0.1"
    finally:
        server.kill()
        server.communicate()
    assert await network.check() == ()


async def test_packets_between_neighbours_pass_the_host(network: RoutedNetwork, pods: Callable[[], Pod]) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await attach(network, two, "two")
    drop = f"type filter hook forward priority 0; ip daddr {first} tcp dport 80 drop"
    nft("-f", "-", script=f"table ip probe {{\nchain c {{\n{drop}\n}}\n}}\n")
    server = one.start(SERVE.format(port=80, name="one"))
    try:
        with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
            two.run(ASK.format(host=first, port=80))
    finally:
        server.kill()
        server.communicate()


async def test_a_host_port_leads_to_its_pod_from_everywhere(
    network: RoutedNetwork, pods: Callable[[], Pod], tmp_path: Path
) -> None:
    one, two = pods(), pods()
    await attach(network, one, "one", port_mappings=(Mapping(8080, 80),))
    await attach(network, two, "two")
    server = one.start(SERVE.format(port=80, name="one"))
    try:
        assert ask_here("127.0.0.1", 8080).startswith("one")
        assert ask_here("10.244.0.1", 8080).startswith("one")
        assert two.run(ASK.format(host="10.244.0.1", port=8080)).startswith("one")
        assert one.run(ASK.format(host="10.244.0.1", port=8080)).startswith("one")
    finally:
        server.kill()
        server.communicate()
    with pytest.raises(NetworkError, match="hostPort TCP 8080 is in use"):
        await attach(network, two, "two", port_mappings=(Mapping(8080, 80),))
    await network.detach("sandbox-one")
    with pytest.raises(ConnectionRefusedError):
        ask_here("127.0.0.1", 8080)


async def test_a_pod_that_comes_back_gets_its_address_again(
    network: RoutedNetwork, pods: Callable[[], Pod], tmp_path: Path
) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await network.detach("sandbox-one")
    assert await attach(network, two, "two") != first
    again = await network.attach("another-sandbox", one.netns, namespace="default", name="one")
    assert again.ips == (first,)


async def test_after_a_crash_the_same_sandboxes_hold_the_same_addresses(
    network: RoutedNetwork, pods: Callable[[], Pod], tmp_path: Path
) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await attach(network, two, "two")
    successor = RoutedNetwork(config(tmp_path))
    await successor.setup()
    assert await successor.check() == ()
    assert await successor.retain(["sandbox-one"]) == ("sandbox-two",)
    assert await attach(successor, one, "one") == first
    assert two.run("import os; print(os.listdir('/sys/class/net'))") != ""
    await successor.close()


async def test_two_clusters_share_a_host_and_leave_it_one_by_one(
    network: RoutedNetwork, pods: Callable[[], Pod], tmp_path: Path, journal: Recorder
) -> None:
    other = RoutedNetwork(config(tmp_path, "other", 1))
    await other.setup()
    one, two = pods(), pods()
    await attach(network, one, "one")
    address = await attach(other, two, "two")
    await network.teardown()
    assert journal.objects - {("sysctl", "net.ipv4.ip_forward=0")} == set()
    assert not any(names.owns("test", name) for name in link_names())
    assert await other.check() == ()
    server = two.start(SERVE.format(port=80, name="two"))
    try:
        assert ask_here(address, 80).startswith("two")
    finally:
        server.kill()
        server.communicate()
    await other.teardown()
    await other.close()
    assert link_names() <= {"lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0"}
    assert nft("list", "tables") == ""


async def test_an_address_without_a_pod_and_an_unknown_service_are_unreachable_at_once(
    network: RoutedNetwork, pods: Callable[[], Pod]
) -> None:
    one = pods()
    await attach(network, one, "one")
    for nowhere in ("10.244.0.77", "10.96.3.3"):
        with pytest.raises(OSError, match="No route to host"):
            ask_here(nowhere, 80)
        with pytest.raises(subprocess.CalledProcessError) as failure:
            one.run(ASK.format(host=nowhere, port=80))
        assert "No route to host" in failure.value.stderr


async def test_a_failed_attach_leaves_nothing(network: RoutedNetwork, tmp_path: Path) -> None:
    before = link_names()
    with pytest.raises(NetworkError, match="No such file"):
        await network.attach("gone", tmp_path / "no-such-netns", namespace="default", name="gone")
    assert link_names() == before
    assert network.statistics()["sandboxes"] == 0


async def test_peers_are_routed_and_former_ones_are_not(network: RoutedNetwork) -> None:
    with rt.Socket() as sock:
        sock.send(rt.new_bridge("uplink", 1500))
        sock.send(rt.new_address(sock.link("uplink").index, rt.IPv4Interface("192.168.7.1/24")))
        await network.set_peers([Peer(IPv4Network("10.244.1.0/24"), IPv4Address("192.168.7.2"))])
        await network.set_peers([Peer(IPv4Network("10.244.2.0/24"), IPv4Address("192.168.7.3"))])
        routes = {str(r.destination): str(r.gateway) for r in sock.routes() if r.gateway}
    assert routes == {"10.244.2.0/24": "192.168.7.3"}


async def test_a_host_firewall_that_drops_forwarding_is_opened_and_closed_again(
    host: None, pods: Callable[[], Pod], tmp_path: Path
) -> None:
    nft(
        "-f",
        "-",
        script="table ip filter {\nchain FORWARD {\ntype filter hook forward priority 0; policy drop;\n}\n}\n",
    )
    network = RoutedNetwork(config(tmp_path))
    await network.setup()
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await attach(network, two, "two")
    server = one.start(SERVE.format(port=80, name="one"))
    try:
        assert two.run(ASK.format(host=first, port=80)).startswith("one")
    finally:
        server.kill()
        server.communicate()
    await network.teardown()
    await network.close()
    left = nft("list", "ruleset")
    assert "proa" not in left
    assert "FORWARD" in left


def test_threads_of_the_test_are_in_its_namespace(host: None) -> None:
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(os.readlink("/proc/thread-self/ns/net")))
    thread.start()
    thread.join()
    assert seen == [os.readlink("/proc/thread-self/ns/net")]
