from __future__ import annotations

import pytest

from proa.api.core_v1 import Namespace
from proa.api.core_v1.resources import CONFIG_MAPS, NAMESPACES
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.namespace_lifecycle import NamespaceLifecycle
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write


async def test_nothing_is_made_in_a_namespace_from_the_moment_it_is_deleted(context: PluginContext) -> None:
    plugin = NamespaceLifecycle(context)
    await context.client.create(NAMESPACES, made(Namespace, "n", spec={"finalizers": ["kubernetes"]}))
    await current(context)
    attributes = write(CONFIG_MAPS, {"metadata": {"name": "c"}}, namespace="n")
    await passed(plugin.validate(attributes))
    await passed(plugin.validate(write(NAMESPACES, None, "DELETE", old={"metadata": {"name": "n"}}, namespace="")))
    await passed(plugin.validate(attributes))  # something else may still have refused the deletion
    await context.client.delete(NAMESPACES, "n")
    for _ in range(2):  # before the informer knows, and after
        with pytest.raises(StatusError, match="because it is being terminated") as caught:
            await passed(plugin.validate(attributes))
        details = caught.value.status.details
        assert details is not None
        assert [(each.reason, each.field) for each in details.causes] == [
            ("NamespaceTerminating", "metadata.namespace")
        ]
        await current(context)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_some_namespaces_never_end(context: PluginContext, name: str) -> None:
    deletion = write(NAMESPACES, None, "DELETE", old={"metadata": {"name": name}}, namespace="")
    with pytest.raises(StatusError, match="this namespace may not be deleted"):
        await passed(NamespaceLifecycle(context).validate(deletion))
