from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.resources import PODS
from proa.api.scheduling_v1 import PriorityClass
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.priority import Priority
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write


async def given(plugin: Priority, **spec: Any) -> tuple[int, str, str | None]:
    """The priority, the preemption policy and the class of a pod that says this."""
    await passed(plugin.mutate(write(PODS, {"metadata": {"name": "p"}, "spec": spec})))
    return spec["priority"], spec["preemptionPolicy"], spec.get("priorityClassName")


async def test_a_pod_without_a_class_gets_the_default_one_of_the_moment_the_least_of_several(
    context: PluginContext,
) -> None:
    plugin, client = Priority(context), context.client
    await current(context)
    assert await given(plugin) == (0, "PreemptLowerPriority", None)
    for name, value in (("high", 20), ("low", 10)):
        await client.create(PRIORITY_CLASSES, made(PriorityClass, name, value=value, globalDefault=True))
    await current(context)
    assert await given(plugin) == (10, "PreemptLowerPriority", "low")
    await client.delete(PRIORITY_CLASSES, "low")
    await current(context)
    assert await given(plugin) == (20, "PreemptLowerPriority", "high")


async def test_a_class_that_was_just_made_is_found_and_one_that_is_not_there_refuses_the_pod(
    context: PluginContext,
) -> None:
    plugin = Priority(context)
    await context.client.create(PRIORITY_CLASSES, made(PriorityClass, "new", value=5, preemptionPolicy="Never"))
    assert await given(plugin, priorityClassName="new") == (5, "Never", "new")
    with pytest.raises(StatusError, match="no PriorityClass with name none was found"):
        await given(plugin, priorityClassName="none")
