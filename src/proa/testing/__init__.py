"""Clusters for tests: a pytest plugin, whole clusters in the test's own event loop, time that obeys.

    async def test_my_operator(proa_cluster):
        await proa_cluster.apply(open("app.yaml").read())
        await proa_cluster.clock.advance("10s")
        ...

A test marked `@pytest.mark.proa(virtual_time=True)` runs in virtual time: an hour takes as long as what happens in it.
Without, time is real and `await proa_cluster.kubeconfig()` lets any client in. `proa_kubeconfig` is the same for tests
that are not asyncio's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proa.testing.cluster import Cluster
    from proa.testing.thread import ServedCluster

__all__ = ["Cluster", "ServedCluster"]


def __getattr__(name: str) -> object:
    # The plugin is loaded in every pytest run of an environment proa is installed in: it must cost nothing there.
    if name == "Cluster":
        from proa.testing.cluster import Cluster

        return Cluster
    if name == "ServedCluster":
        from proa.testing.thread import ServedCluster

        return ServedCluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
