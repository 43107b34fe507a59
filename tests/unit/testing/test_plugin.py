"""The plugin's fixtures, used as anybody would."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from proa.aio.clock import VirtualEventLoop
from proa.api.core_v1.resources import NODES, PODS
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.client.http import HttpClient
from proa.client.kubeconfig import load
from proa.cluster.simulated import CannotServeError, SimulatedCluster
from proa.testing.clock import SettlingEventLoop, in_seconds

pytest_plugins = ["pytester"]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: app}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@pytest.mark.proa(virtual_time=True, nodes=2)
async def test_a_marked_test_has_a_cluster_in_virtual_time(proa_cluster: Any, proa_clock: Any) -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualEventLoop)
    applied = await proa_cluster.apply(DEPLOYMENT)
    assert [each.kind for each in applied] == ["Deployment", "Service"]
    began = time.perf_counter(), proa_clock.monotonic()
    await proa_clock.advance("1h")
    assert proa_clock.monotonic() - began[1] >= 3600
    assert time.perf_counter() - began[0] < 60
    assert [each.status.phase for each in await proa_cluster.all(PODS)] == ["Running", "Running"]


async def test_an_unmarked_test_has_a_cluster_in_real_time(proa_cluster: Any, proa_client: Any) -> None:
    assert isinstance(asyncio.get_running_loop(), SettlingEventLoop)
    await proa_cluster.apply(DEPLOYMENT)
    await proa_cluster.until(lambda: running(proa_cluster, 2), "20s")
    assert [each.metadata.name for each in (await proa_client.list(NODES)).items] == ["simulated-0"]


async def test_a_cluster_in_real_time_serves_https_to_any_client(proa_cluster: Any, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(await proa_cluster.kubeconfig())
    client = HttpClient(load([path]).connection())
    try:
        (node,) = (await client.list(NODES)).items
        assert node.metadata.name == "simulated-0"
    finally:
        await client.close()


async def test_clusters_of_one_machine_are_served_side_by_side(proa_cluster: Any) -> None:
    async with SimulatedCluster() as other:
        urls = [await proa_cluster.serve(), await other.serve()]
        assert len({*urls}) == 2
        for cluster, url in zip((proa_cluster, other), urls, strict=True):
            slices = await cluster.client.get(ENDPOINT_SLICES, "kubernetes", "default")
            assert url.endswith(f":{slices.ports[0].port}")


@pytest.mark.proa(virtual_time=True)
async def test_a_cluster_in_virtual_time_is_not_served(proa_cluster: Any) -> None:
    with pytest.raises(CannotServeError, match="virtual time"):
        await proa_cluster.serve()


def test_a_test_without_asyncio_gets_a_kubeconfig(proa_kubeconfig: Path) -> None:
    assert os.stat(proa_kubeconfig).st_mode & 0o077 == 0

    async def nodes() -> int:
        client = HttpClient(load([proa_kubeconfig]).connection())
        try:
            return len((await client.list(NODES)).items)
        finally:
            await client.close()

    assert asyncio.run(nodes()) == 1


@pytest.mark.proa(virtual_time=True)
async def test_nothing_is_left_to_do_once_settled(proa_cluster: Any) -> None:
    await proa_cluster.apply(DEPLOYMENT)
    await proa_cluster.settle()
    before = proa_cluster.statistics()["controllers"]["controllers"]
    await proa_cluster.settle()
    after = proa_cluster.statistics()["controllers"]["controllers"]
    assert {name: each["reconciles"] for name, each in before.items()} == {
        name: each["reconciles"] for name, each in after.items()
    }
    assert all(each["queue"]["depth"] == each["queue"]["in_progress"] == 0 for each in after.values())


async def test_settling_in_real_time_waits_for_what_is_ready_and_not_for_timers() -> None:
    loop = asyncio.get_running_loop()
    assert not isinstance(loop, SettlingEventLoop), "only tests with a cluster get another loop"

    def run() -> list[str]:
        async def main() -> list[str]:
            seen: list[str] = []

            async def steps() -> None:
                for number in range(5):
                    await asyncio.sleep(0)
                    seen.append(str(number))

            task = asyncio.create_task(steps())
            timer = asyncio.get_running_loop().call_later(60, seen.append, "late")
            inner = asyncio.get_running_loop()
            assert isinstance(inner, SettlingEventLoop)
            await inner.settled()
            timer.cancel()
            await task
            return seen

        with asyncio.Runner(loop_factory=SettlingEventLoop) as runner:
            return runner.run(main())

    assert await asyncio.to_thread(run) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("250ms", 0.25), ("10s", 10), (3, 3), ("1.5m", 90)])
def test_durations_are_read_as_go_writes_them(text: str | float, seconds: float) -> None:
    assert in_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "1x", "1h 5m", "-1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="like 30s"):
        in_seconds(text)


def test_an_unknown_wish_names_what_there_is(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.proa(node=3)
        async def test_it(proa_cluster):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "proa.testing.plugin", "--asyncio-mode=auto")
    result.stdout.fnmatch_lines(["*marker proa takes nodes, seed, virtual_time, behaviour; not node*"])
    assert result.ret != 0


async def running(cluster: Any, count: int) -> bool:
    return [each.status.phase for each in await cluster.all(PODS)] == ["Running"] * count
