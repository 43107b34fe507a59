"""Quotas of custom resources, whose definitions come and go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.sim.test_custom_resources import CRDS, THINGS, custom_resources, thing

from proa.api.core_v1 import ResourceQuota
from proa.api.core_v1.resources import RESOURCE_QUOTAS
from proa.machinery.status import StatusError

COUNT = "count/things.example.com"


def test_custom_objects_are_counted_while_they_are_defined(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        spec = {"hard": {COUNT: "1"}}
        meta = {"name": "q", "namespace": "default"}
        await plane.client.create(RESOURCE_QUOTAS, msgspec.convert({"metadata": meta, "spec": spec}, ResourceQuota))

        async def used() -> Any:
            return (await plane.get(RESOURCE_QUOTAS, "q")).status.used.get(COUNT)

        def uses(count: str) -> Any:
            async def does() -> bool:
                return await used() == count

            return does

        async with custom_resources(plane):
            await plane.until(uses("0"), 3)
            await plane.client.document("POST", THINGS, thing("a"))
            assert await used() == "1"
            refused = "exceeded quota: q, requested: count/things.example.com=1, used: count/things.example.com=1"
            with pytest.raises(StatusError, match=refused):
                await plane.client.document("POST", THINGS, thing("b"))
            await plane.client.document("DELETE", f"{THINGS}/a")
            await plane.until(uses("0"), 3)
            await plane.client.document("POST", THINGS, thing("b"))
            await plane.client.document("DELETE", f"{CRDS}/things.example.com")
            await plane.until(lambda: plane.clock.monotonic() > 30)

    simulate(body)
