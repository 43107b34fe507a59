from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from proa.aio.tasks import TaskScope
from proa.api.core_v1 import ConfigMap
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.api.node_v1 import RuntimeClass
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import LOOPBACK
from proa.kubelet.references import References
from proa.machinery.meta import ObjectMeta
from proa.store.memory import MemoryStore


async def test_what_a_pod_refers_to_is_known_and_its_changes_are_told_in_a_namespace_and_outside() -> None:
    store = MemoryStore()
    server = ApiServer(Config(store, port=0))
    await server.load()
    client: Any = server.client_for(LOOPBACK)
    told = asyncio.Event()
    users: set[str] = set()

    def changed(uids: frozenset[str]) -> None:
        users.update(uids)
        told.set()

    async with TaskScope("test") as scope:
        references = References(client, scope, changed)
        await client.create(RUNTIME_CLASSES, RuntimeClass(metadata=ObjectMeta(name="vm"), handler="kata"))
        await client.create(CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
        found = await references.get(RUNTIME_CLASSES, "", "vm", "pod-1")
        assert found is not None
        assert found.handler == "kata"
        config = await references.get(CONFIG_MAPS, "default", "c", "pod-2")
        assert config is not None
        assert await references.get(CONFIG_MAPS, "default", "none", "pod-2") is None
        await client.update(CONFIG_MAPS, msgspec.structs.replace(config, data={"a": "b"}))
        async with asyncio.timeout(5):
            await told.wait()
        assert users == {"pod-2"}
        references.close()
    await server.stop()
    await store.close()
