from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proa.api.core_v1 import ResourceQuota as Quota
from proa.api.core_v1.resources import CONFIG_MAPS, PODS, RESOURCE_QUOTAS
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.apiserver.plugins.resource_quota import ResourceQuota
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write


async def quota(context: PluginContext, hard: dict[str, str], name: str = "q") -> None:
    """A quota as the controller leaves it."""
    await context.client.create(RESOURCE_QUOTAS, made(Quota, name, "default", spec={"hard": hard}))
    status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    await context.client.patch(RESOURCE_QUOTAS, name, "default", status, type="merge", subresource="status")
    await current(context)


def config_map(number: int = 0) -> Any:
    return write(CONFIG_MAPS, {"metadata": {"name": f"c{number}"}})


async def used(context: PluginContext, name: str = "q") -> dict[str, Any]:
    return dict((await context.client.get(RESOURCE_QUOTAS, name, "default")).status.used)


async def test_many_requests_at_once_are_decided_together(context: PluginContext) -> None:
    plugin = ResourceQuota(context)
    await quota(context, {"configmaps": "30"})
    before = int((await context.client.get(RESOURCE_QUOTAS, "q", "default")).metadata.resourceVersion)
    charges = [passed(plugin.validate(config_map(number))) for number in range(50)]
    outcomes = await asyncio.gather(*charges, return_exceptions=True)
    assert outcomes.count(None) == 30
    assert await used(context) == {"configmaps": "30"}
    writes = int((await context.client.get(RESOURCE_QUOTAS, "q", "default")).metadata.resourceVersion) - before
    assert writes <= 3


async def test_a_request_that_goes_away_while_it_is_decided_holds_nobody_up(context: PluginContext) -> None:
    plugin = ResourceQuota(context)
    await quota(context, {"configmaps": "2"})
    tasks = [asyncio.ensure_future(plugin.validate(config_map(n))) for n in range(3)]
    await asyncio.sleep(0)  # the first one is at it, for all
    tasks[0].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(each is None or isinstance(each, StatusError) for each in outcomes[1:])
    assert None in outcomes[1:]


async def test_who_changed_the_quota_meanwhile_is_not_overruled(context: PluginContext) -> None:
    plugin = ResourceQuota(context)
    await quota(context, {"configmaps": "5"})
    status = {"status": {"used": {"configmaps": "4"}}}
    # The plugin's copy does not know this yet.
    await context.client.patch(RESOURCE_QUOTAS, "q", "default", status, type="merge", subresource="status")
    await passed(plugin.validate(config_map()))
    assert await used(context) == {"configmaps": "5"}
    with pytest.raises(StatusError, match="exceeded quota: q, requested: configmaps=1, used: configmaps=5"):
        await passed(plugin.validate(config_map(1)))


async def test_what_the_configuration_limits_needs_a_quota_that_covers_it(context: PluginContext) -> None:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["top"]}
    limited = {"limitedResources": [{"resource": "pods", "matchScopes": [scope]}]}
    plugin = ResourceQuota(replace(context, configuration={"ResourceQuota": limited}))
    await current(context)
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await passed(plugin.validate(write(PODS, pod)))
    pod["spec"]["priorityClassName"] = "top"  # type: ignore[index]
    with pytest.raises(StatusError, match="insufficient quota to match these scopes"):
        await passed(plugin.validate(write(PODS, pod)))


@pytest.mark.parametrize("wrong", [{"matchScopes": []}, {"resource": "pods", "matchScopes": [{"nonsense": 1}]}])
async def test_a_limit_that_makes_no_sense_is_an_error(context: PluginContext, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"limitedResources\[0\]"):
        ResourceQuota(replace(context, configuration={"ResourceQuota": {"limitedResources": [wrong]}}))
