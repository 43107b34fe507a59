"""The pytest plugin: loaded wherever proa is installed, so it imports nothing of a cluster until a test wants one.

Marker: `proa(nodes=1, seed=0, virtual_time=False, behaviour=None)`, see `proa.testing.cluster.Cluster`. Fixtures are in
`fixtures`, which needs pytest-asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

Factories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]

MARKER = "proa"
_USES = "proa_cluster"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}(nodes=1, seed=0, virtual_time=False, behaviour=None): what proa_cluster is like"
    )
    if config.pluginmanager.hasplugin("asyncio"):
        from proa.testing import fixtures

        config.pluginmanager.register(fixtures, "proa-fixtures")


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Generator[None, Factories | None, Factories]:
    """Tests with a cluster get a loop that can tell when nothing happens, others what they would have without us."""
    others = yield
    if _USES not in getattr(item, "fixturenames", ()):
        return others or {"asyncio": asyncio.new_event_loop}
    if wishes(item).get("virtual_time"):
        from proa.aio.clock import VirtualEventLoop

        return {"virtual-time": VirtualEventLoop}
    from proa.testing.clock import SettlingEventLoop

    return {"real-time": SettlingEventLoop}


def wishes(item: pytest.Item) -> dict[str, Any]:
    """What the markers of a test ask of its cluster; the closest wins."""
    found: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(MARKER))):
        found |= mark.kwargs
    unknown = sorted(found.keys() - {"nodes", "seed", "virtual_time", "behaviour"})
    if unknown:
        raise pytest.UsageError(
            f"{item.nodeid}: marker proa takes nodes, seed, virtual_time, behaviour; not {', '.join(unknown)}"
        )
    return found
