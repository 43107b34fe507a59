from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.api.core_v1 import Namespace
from proa.api.core_v1.resources import CONFIG_MAPS, EVENTS, NAMESPACES, PODS, SERVICES
from proa.apiserver.identity import ALLOW, NO_OPINION, AccessAttributes, Decision, User
from proa.apiserver.plugins import default_plugins
from proa.apiserver.plugins.always_pull_images import AlwaysPullImages
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.apiserver.plugins.deny_service_external_ips import DenyServiceExternalIPs
from proa.apiserver.plugins.event_rate_limit import EventRateLimit
from proa.apiserver.plugins.extended_resource_toleration import ExtendedResourceToleration
from proa.apiserver.plugins.limit_pod_hard_anti_affinity_topology import LimitPodHardAntiAffinityTopology
from proa.apiserver.plugins.namespace_auto_provision import NamespaceAutoProvision
from proa.apiserver.plugins.namespace_exists import NamespaceExists
from proa.apiserver.plugins.owner_references_permission_enforcement import OwnerReferencesPermissionEnforcement
from proa.apiserver.plugins.pod_node_selector import ANNOTATION, PodNodeSelector
from proa.machinery.status import StatusError

from .conftest import made, passed, write


def pod(image: str, policy: str = "IfNotPresent") -> dict[str, Any]:
    volumes = [{"name": "v", "image": {"reference": "y", "pullPolicy": policy}}, {"name": "w", "emptyDir": {}}]
    container = {"name": "c", "image": image, "imagePullPolicy": policy}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container], "volumes": volumes}}


async def test_every_image_is_pulled_always_and_webhooks_may_not_change_that() -> None:
    attributes = write(PODS, pod("x"))
    with pytest.raises(StatusError, match=r"spec.containers\[0\].imagePullPolicy: Unsupported value"):
        await passed(AlwaysPullImages().validate(attributes))
    await passed(AlwaysPullImages().mutate(attributes))
    assert attributes.document == pod("x", "Always")
    await passed(AlwaysPullImages().validate(attributes))


async def test_a_pod_that_keeps_its_images_keeps_when_it_pulls_them() -> None:
    attributes = write(PODS, pod("x"), "UPDATE", old=pod("x"))
    await passed(AlwaysPullImages().mutate(attributes))
    await passed(AlwaysPullImages().validate(attributes))
    assert attributes.document == pod("x")


def event(name: str = "e") -> dict[str, Any]:
    return {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "k"}}


@pytest.mark.parametrize(
    ("type", "other"),
    [
        ("Namespace", write(EVENTS, event(), namespace="other")),
        ("User", write(EVENTS, event(), user=User("other"))),
        ("SourceAndObject", write(EVENTS, {**event(), "involvedObject": {"kind": "Pod", "name": "other"}})),
    ],
)
def test_events_come_no_faster_than_they_may(context: PluginContext, type: str, other: Any) -> None:
    async def main(clock: VirtualClock) -> None:
        limits = {"limits": [{"type": type, "qps": 2, "burst": 3}, {"type": "Server", "qps": 99, "burst": 99}]}
        plugin = EventRateLimit(replace(context, clock=clock, configuration={"EventRateLimit": limits}))
        for _ in range(3):
            await passed(plugin.validate(write(EVENTS, event())))
        with pytest.raises(StatusError, match=f"limit reached on type {type} for key") as caught:
            await passed(plugin.validate(write(EVENTS, event())))
        assert caught.value.code == 429
        await passed(plugin.validate(other))
        await clock.advance(0.5)
        await passed(plugin.validate(write(EVENTS, event())))

    virtual_run(main)


def test_a_limit_that_makes_no_sense_is_an_error(context: PluginContext) -> None:
    limits = {"limits": [{"type": "Moon", "qps": 0, "burst": 1}]}
    with pytest.raises(ConfigurationError, match=r"limits\[0\].type: Unsupported value.*qps: Invalid value: 0"):
        EventRateLimit(replace(context, configuration={"EventRateLimit": limits}))


class Rights:
    """Who may do what: (verb, resource, subresource)."""

    generation = 0

    def __init__(self, *rights: tuple[str, str, str]) -> None:
        self._rights = rights

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return ALLOW if (attributes.verb, attributes.resource, attributes.subresource) in self._rights else NO_OPINION

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return self.authorize(attributes)

    def rules_for(self, user: User, namespace: str) -> Any:
        raise NotImplementedError


def owned(*, blocking: bool = False, kind: str = "Pod") -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": kind, "name": "o", "uid": "1", "blockOwnerDeletion": blocking}
    return {"metadata": {"name": "c", "ownerReferences": [owner]}}


PLAIN = {"metadata": {"name": "c"}}
DELETE, FINALIZE = ("delete", "configmaps", ""), ("update", "pods", "finalizers")


@pytest.mark.parametrize(
    ("rights", "new", "old", "refusal"),
    [
        ((), owned(), None, ""),
        ((), owned(), owned(), ""),
        ((), owned(), PLAIN, "cannot set an ownerRef on a resource you can't delete"),
        ((DELETE,), owned(), PLAIN, ""),
        ((), owned(blocking=True), None, "refers to a resource you can't set finalizers on"),
        ((FINALIZE,), owned(blocking=True), None, ""),
        ((("update", "*", "finalizers"),), owned(blocking=True, kind="Nothing"), None, ""),
        ((FINALIZE,), owned(blocking=True, kind="Nothing"), None, 'no matches for kind "Nothing" in version "v1"'),
        ((DELETE,), owned(blocking=True), owned(), "refers to a resource you can't set finalizers on"),
    ],
)
async def test_an_owner_reference_needs_the_rights_to_what_it_does(
    context: PluginContext, rights: Any, new: Any, old: Any, refusal: str
) -> None:
    plugin = OwnerReferencesPermissionEnforcement(replace(context, authorizer=Rights(*rights)))
    attributes = write(CONFIG_MAPS, new, "CREATE" if old is None else "UPDATE", old=old, user=User("u"))
    if refusal:
        with pytest.raises(StatusError, match=refusal):
            await passed(plugin.validate(attributes))
    else:
        await passed(plugin.validate(attributes))


async def test_opt_in_plugins_run_only_when_they_are_asked_for(context: PluginContext) -> None:
    assert "AlwaysPullImages" not in [each.name for each in default_plugins(context)]
    assert "AlwaysPullImages" in [each.name for each in default_plugins(context, enable=["AlwaysPullImages"])]


async def test_who_asks_for_a_special_resource_tolerates_its_taint() -> None:
    resources = {"requests": {"cpu": "1", "example.com/gpu": "1"}}
    document = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": resources}]}}
    attributes = write(PODS, document)
    for _ in range(2):
        await passed(ExtendedResourceToleration().mutate(attributes))
    toleration = {"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert document["spec"]["tolerations"] == [toleration]


async def test_external_addresses_may_stay_and_none_may_come() -> None:
    one = {"metadata": {"name": "s"}, "spec": {"externalIPs": ["10.0.0.1"]}}
    await passed(DenyServiceExternalIPs().validate(write(SERVICES, one, "UPDATE", old=one)))
    with pytest.raises(StatusError, match="Use of external IPs is denied by admission control"):
        await passed(DenyServiceExternalIPs().validate(write(SERVICES, one)))


async def test_pods_keep_each_other_off_single_nodes_only() -> None:
    def document(key: str) -> dict[str, Any]:
        term = {"topologyKey": key}
        affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        return {"metadata": {"name": "p"}, "spec": {"affinity": affinity}}

    await passed(LimitPodHardAntiAffinityTopology().validate(write(PODS, document("kubernetes.io/hostname"))))
    with pytest.raises(StatusError, match=r"has TopologyKey zone but only key kubernetes.io/hostname is allowed"):
        await passed(LimitPodHardAntiAffinityTopology().validate(write(PODS, document("zone"))))


async def test_a_namespace_must_exist_or_is_made(context: PluginContext) -> None:
    attributes = write(CONFIG_MAPS, {"metadata": {"name": "c"}}, namespace="new")
    with pytest.raises(StatusError, match='namespaces "new" not found'):
        await passed(NamespaceExists(context).validate(attributes))
    await passed(NamespaceAutoProvision(context).mutate(replace(attributes, dry_run=True)))
    with pytest.raises(StatusError, match='namespaces "new" not found'):
        await passed(NamespaceExists(context).validate(attributes))
    for _ in range(2):
        await passed(NamespaceAutoProvision(context).mutate(attributes))
    await passed(NamespaceExists(context).validate(attributes))


@pytest.mark.parametrize(
    ("annotation", "asked", "merged", "refusal"),
    [
        (None, {}, {"zone": "a"}, ""),
        ("disk=ssd, tier=gold", {"zone": "b"}, {"disk": "ssd", "tier": "gold", "zone": "b"}, ""),
        ("", {"zone": "b"}, {"zone": "b"}, ""),
        (None, {"zone": "b"}, {}, "pod node label selector conflicts with its namespace node label selector"),
        ("disk=ssd", {"cpu": "fast"}, {}, "pod node label selector labels conflict with its namespace whitelist"),
        ("disk", {}, {}, "invalid selector: 'disk'"),
    ],
)
async def test_a_namespace_says_on_which_nodes_its_pods_run(
    context: PluginContext, annotation: str | None, asked: Any, merged: Any, refusal: str
) -> None:
    selectors = {"clusterDefaultNodeSelector": "zone=a", "limited": "disk=ssd,tier=gold,zone=b,zone=a"}
    if not refusal.endswith("whitelist"):
        del selectors["limited"]
    configuration = {"PodNodeSelector": {"podNodeSelectorPluginConfig": selectors}}
    plugin = PodNodeSelector(replace(context, configuration=configuration))
    annotations = {} if annotation is None else {ANNOTATION: annotation}
    await context.client.create(NAMESPACES, made(Namespace, "limited", metadata={"annotations": annotations}))
    attributes = write(PODS, {"metadata": {"name": "p"}, "spec": {"nodeSelector": dict(asked)}}, namespace="limited")

    async def admit() -> None:
        await passed(plugin.mutate(attributes))
        await passed(plugin.validate(attributes))

    if refusal:
        with pytest.raises(StatusError, match=refusal):
            await admit()
        return
    await admit()
    assert attributes.document is not None
    assert attributes.document["spec"]["nodeSelector"] == merged


async def test_a_node_selector_that_makes_no_sense_is_an_error(context: PluginContext) -> None:
    wrong = {"PodNodeSelector": {"podNodeSelectorPluginConfig": {"ns": "a=b=c"}}}
    with pytest.raises(ConfigurationError, match=r"podNodeSelectorPluginConfig\.ns: invalid selector"):
        PodNodeSelector(replace(context, configuration=wrong))
