"""The builders beside these tests are importable by name (pytest's importlib mode leaves sys.path alone)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from proa.oci.store import ImageStore

sys.path.insert(0, str(Path(__file__).parent))


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    opened = ImageStore(tmp_path / "store")
    yield opened
    await opened.close()
