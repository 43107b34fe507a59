"""What controllers may cost: CPU seconds of a whole control plane in one process, API server and fake node included."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from proa.api.apps_v1 import ReplicaSet
from proa.api.apps_v1.resources import REPLICA_SETS
from proa.api.core_v1.resources import PODS


def replica_set(replicas: int) -> ReplicaSet:
    labels = {"app": "many"}
    document: dict[str, Any] = {
        "metadata": {"name": "many", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "v1"}]},
            },
        },
    }
    return msgspec.convert(document, ReplicaSet)


def test_a_thousand_pods_are_made_and_unmade_by_one_replica_set(simulate):
    async def body(plane):
        began = time.process_time()
        await plane.client.create(REPLICA_SETS, replica_set(1000))
        await plane.clock.advance(10)
        found = await plane.get(REPLICA_SETS, "many")
        assert (found.status.replicas, found.status.availableReplicas) == (1000, 1000)
        assert len(await plane.all(PODS)) == 1000
        assert time.process_time() - began < 20
        await plane.client.patch(REPLICA_SETS, "many", "default", {"spec": {"replicas": 10}}, type="merge")
        await plane.clock.advance(10)
        assert len(await plane.all(PODS)) == 10
        statistics = plane.manager.statistics()["controllers"]["replicaset"]
        assert statistics["errors"] == 0

    simulate(body)
