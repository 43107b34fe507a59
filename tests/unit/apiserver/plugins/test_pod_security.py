from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Namespace, Pod
from proa.api.core_v1.resources import NAMESPACES, PODS
from proa.apiserver.identity import User
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.apiserver.plugins.pod_security import PodSecurity
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write

PREFIX = "pod-security.kubernetes.io/"
SPEC = {"containers": [{"name": "c", "image": "x"}], "hostPID": True}


def labels(**modes: str) -> dict[str, str]:
    return {PREFIX + mode: level for mode, level in modes.items()}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {**SPEC, **spec}}


async def plugin(context: PluginContext, name: str = "ns", **modes: str) -> PodSecurity:
    """The plugin, and a namespace with these labels."""
    found = PodSecurity(context)
    await context.client.create(NAMESPACES, made(Namespace, name, metadata={"labels": labels(**modes)}))
    await current(context)
    return found


async def test_a_violation_is_refused_audited_and_warned_of_as_the_labels_say(context: PluginContext) -> None:
    security = await plugin(context, audit="baseline", warn="baseline")
    attributes = write(PODS, pod(), namespace="ns")
    await passed(security.validate(attributes))
    said = 'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'
    assert attributes.warnings == [said]
    assert attributes.annotations == {
        PREFIX + "audit-violations": said,
        PREFIX + "enforce-policy": "privileged:latest",
    }
    security = await plugin(context, "strict", enforce="baseline")
    attributes = write(PODS, pod(), namespace="strict")
    with pytest.raises(StatusError, match='violates PodSecurity "baseline:latest": host namespaces'):
        await passed(security.validate(attributes))
    assert attributes.warnings == []


async def test_of_a_template_it_is_warned_and_nothing_is_refused(context: PluginContext) -> None:
    security = await plugin(context, enforce="baseline")
    document = {"metadata": {"name": "d"}, "spec": {"template": {"spec": SPEC}}}
    attributes = write(DEPLOYMENTS, document, namespace="ns")
    await passed(security.validate(attributes))
    assert attributes.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']


async def test_an_update_counts_only_if_it_changes_what_runs(context: PluginContext) -> None:
    security = await plugin(context, enforce="baseline")
    await passed(security.validate(write(PODS, pod(), "UPDATE", old=pod(), namespace="ns")))
    other = pod(containers=[{"name": "c", "image": "other"}])
    with pytest.raises(StatusError, match="violates PodSecurity"):
        await passed(security.validate(write(PODS, other, "UPDATE", old=pod(), namespace="ns")))
    debugged = pod(ephemeralContainers=[{"name": "e", "image": "x"}])
    with pytest.raises(StatusError, match="violates PodSecurity"):
        await passed(
            security.validate(
                write(PODS, debugged, "UPDATE", old=pod(), subresource="ephemeralcontainers", namespace="ns")
            )
        )


async def test_who_makes_a_namespace_stricter_is_told_of_the_pods_that_violate_it(context: PluginContext) -> None:
    security = await plugin(context)
    for name in ("a", "b"):
        await context.client.create(PODS, made(Pod, name, "ns", spec=SPEC))
    await context.client.create(PODS, made(Pod, "port", "ns", spec={**SPEC, "hostPID": False, "hostIPC": True}))
    await current(context)
    new = {"metadata": {"name": "ns", "labels": labels(enforce="baseline")}}
    attributes = write(NAMESPACES, new, "UPDATE", old={"metadata": {"name": "ns"}})
    await passed(security.validate(attributes))
    assert attributes.warnings == [
        'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 2 other pods): host namespaces",
    ]
    relaxed = write(NAMESPACES, {"metadata": {"name": "ns"}}, "UPDATE", old=new)
    await passed(security.validate(relaxed))
    assert relaxed.warnings == []


async def test_a_namespaces_labels_must_make_sense_when_they_are_changed(context: PluginContext) -> None:
    security = PodSecurity(context)
    odd = {"metadata": {"name": "ns", "labels": labels(warn="loud")}}
    with pytest.raises(StatusError, match="must be one of privileged, baseline, restricted") as caught:
        await passed(security.validate(write(NAMESPACES, odd)))
    assert caught.value.code == 422
    more = {"metadata": {"name": "ns", "labels": {**labels(warn="loud"), "a": "b"}}}
    await passed(security.validate(write(NAMESPACES, more, "UPDATE", old=odd)))


async def test_defaults_and_exemptions_come_from_the_configuration(context: PluginContext) -> None:
    exempt = {"namespaces": ["free"], "usernames": ["root"], "runtimeClasses": ["vm"]}
    document = {"defaults": {"enforce": "baseline", "enforce-version": "v1.30"}, "exemptions": exempt}
    security = await plugin(replace(context, configuration={"PodSecurity": document}))
    with pytest.raises(StatusError, match=r'violates PodSecurity "baseline:v1.30"'):
        await passed(security.validate(write(PODS, pod(), namespace="ns")))
    for attributes, why in (
        (write(PODS, pod(), namespace="free"), "namespace"),
        (write(PODS, pod(), namespace="ns", user=User("root")), "user"),
        (write(PODS, pod(runtimeClassName="vm"), namespace="ns"), "runtimeClass"),
    ):
        await passed(security.validate(attributes))
        assert attributes.annotations == {PREFIX + "exempt": why}
    with pytest.raises(ConfigurationError, match=r"defaults.warn: 'loud' must be one of"):
        PodSecurity(replace(context, configuration={"PodSecurity": {"defaults": {"warn": "loud"}}}))
