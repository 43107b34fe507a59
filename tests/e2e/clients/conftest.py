"""Clients are used as they are, also those that leave sockets to the garbage collector: that is theirs to mend."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a client forgot to close is found while its own test still runs, not in somebody else's."""
    yield
    gc.collect()
