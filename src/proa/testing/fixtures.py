"""The fixtures of the pytest plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from proa.testing.plugin import wishes

if TYPE_CHECKING:
    from proa.client.protocol import Client
    from proa.testing.clock import SteeredClock
    from proa.testing.cluster import Cluster


@pytest_asyncio.fixture
async def proa_cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A whole cluster of this test's own, in this test's loop; what it is like says the marker `proa`."""
    from proa.testing.cluster import Cluster

    wanted = wishes(request.node)
    wanted.pop("virtual_time", None)
    async with Cluster(**wanted) as cluster:
        yield cluster


@pytest.fixture
def proa_client(proa_cluster: Cluster) -> Client:
    """The administrator's client of `proa_cluster`."""
    return proa_cluster.client


@pytest.fixture
def proa_clock(proa_cluster: Cluster) -> SteeredClock:
    """The clock of `proa_cluster`."""
    return proa_cluster.clock


@pytest.fixture
def proa_kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig file of a cluster of this test's own, served over HTTPS from another thread in real time."""
    from proa.testing.thread import ServedCluster

    wanted = wishes(request.node)
    if wanted.pop("virtual_time", False):
        raise pytest.UsageError(f"{request.node.nodeid}: proa_kubeconfig serves in real time, not in virtual time")
    with ServedCluster(tmp_path, **wanted) as served:
        yield served.kubeconfig
