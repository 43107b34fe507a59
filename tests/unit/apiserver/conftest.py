from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import AUTHENTICATED, MASTERS, Credentials, User
from proa.apiserver.options import WriteOptions
from proa.store.memory import MemoryStore

ADMIN = User("admin", groups=(MASTERS, AUTHENTICATED))
NOBODY = User("nobody", groups=(AUTHENTICATED,))


class Tokens:
    """Two tokens: `admin` and `nobody`."""

    async def authenticate(self, credentials: Credentials) -> User | None:
        return {"admin": ADMIN, "nobody": NOBODY}.get(credentials.token)


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    await store.close()


@pytest.fixture
async def server(store: MemoryStore) -> AsyncIterator[ApiServer]:
    """Loaded and guarded, not listening."""
    server = ApiServer(Config(store, port=0))
    await server.load()
    server.install(authenticators=[Tokens()])
    yield server
    await server.stop()


@pytest.fixture
async def listening(server: ApiServer) -> ApiServer:
    await server.listen()
    return server


@pytest.fixture
async def http(listening: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client over HTTP, as the administrator; bodies are as they were sent."""
    session = aiohttp.ClientSession(
        f"http://127.0.0.1:{listening.port}", headers={"Authorization": "Bearer admin"}, auto_decompress=False
    )
    async with session:
        yield session


def options(**more: Any) -> WriteOptions:
    return WriteOptions(ADMIN, field_manager="test", **more)


def pod(name: str = "", **more: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "image": "image"}], **more.pop("spec", {})}
    return {"metadata": {**({"name": name} if name else {}), **more}, "spec": spec}


def config_map(name: str = "", data: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"metadata": {**({"name": name} if name else {}), **more}, "data": data or {}}
