"""Who answers for a Service, as EndpointSlices and as Endpoints tell it."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Endpoints, Service
from proa.api.core_v1.resources import ENDPOINTS, PODS, SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES


def deployment(replicas: int, name: str = "web", **pod: Any) -> Deployment:
    ports = [{"name": "http", "containerPort": 8080}]
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web", "set": name}},
                "template": {
                    "metadata": {"labels": {"app": "web", "set": name}},
                    "spec": {"containers": [{"name": "main", "image": "v1", "ports": ports}], **pod},
                },
            },
        },
        Deployment,
    )


def service(**spec: Any) -> Service:
    return msgspec.convert(
        {
            "metadata": {"name": "web", "namespace": "default", "labels": {"tier": "front"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec},
        },
        Service,
    )


def test_a_service_without_pods_has_one_empty_slice(simulate):
    async def body(plane):
        created = await plane.client.create(SERVICES, service())
        await plane.clock.advance(2)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        assert slice.endpoints == ()
        assert slice.addressType == "IPv4"
        assert slice.metadata.name.startswith("web-")
        assert slice.metadata.labels == {
            "tier": "front",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        assert slice.metadata.ownerReferences[0].uid == created.metadata.uid
        assert (await plane.get(ENDPOINTS, "web")).subsets == ()

    simulate(body)


def test_ready_pods_serve_and_others_are_listed_as_not_ready(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, service())
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.clock.advance(1)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        assert [each.conditions.ready for each in slice.endpoints] == [False] * 3
        (subset,) = (await plane.get(ENDPOINTS, "web")).subsets
        assert (len(subset.addresses), len(subset.notReadyAddresses)) == (0, 3)
        await plane.clock.advance(10)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        pods = {pod.metadata.uid: pod for pod in await plane.all(PODS)}
        assert len(slice.endpoints) == 3
        for endpoint in slice.endpoints:
            pod = pods[endpoint.targetRef.uid]
            assert endpoint.addresses == (pod.status.podIP,)
            assert endpoint.nodeName == pod.spec.nodeName
            assert endpoint.zone == f"zone-{pod.spec.nodeName[-1]}"
            flags = endpoint.conditions
            assert (flags.ready, flags.serving, flags.terminating) == (True, True, False)
        (port,) = slice.ports
        assert (port.name, port.port, port.protocol) == ("http", 8080, "TCP")
        assert "endpoints.kubernetes.io/last-change-trigger-time" in slice.metadata.annotations
        (subset,) = (await plane.get(ENDPOINTS, "web")).subsets
        assert len(subset.addresses) == 3
        assert subset.ports[0].port == 8080

    simulate(body)


def test_a_terminating_pod_still_serves_in_the_slice_but_is_not_ready(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, service())
        await plane.client.create(DEPLOYMENTS, deployment(1))
        await plane.clock.advance(10)
        plane.pods.stop_after = 10.0
        (pod,) = await plane.all(PODS)
        await plane.client.delete(PODS, pod.metadata.name, "default")
        await plane.clock.advance(1)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        flags = next(e.conditions for e in slice.endpoints if e.targetRef.uid == pod.metadata.uid)
        assert (flags.ready, flags.serving, flags.terminating) == (False, True, True)
        await plane.clock.advance(20)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        assert pod.metadata.uid not in {each.targetRef.uid for each in slice.endpoints}

    simulate(body)


def test_a_headless_service_names_its_pods_and_may_publish_them_unready(simulate):
    async def body(plane):
        headless = service(clusterIP="None", publishNotReadyAddresses=True)
        await plane.client.create(SERVICES, headless)
        await plane.client.create(DEPLOYMENTS, deployment(1, hostname="db-0", subdomain="web"))
        await plane.clock.advance(1)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        (endpoint,) = slice.endpoints
        assert endpoint.hostname == "db-0"
        assert (endpoint.conditions.ready, endpoint.conditions.serving) == (True, False)
        assert slice.metadata.labels["service.kubernetes.io/headless"] == ""

    simulate(body)


def test_slices_hold_a_hundred_endpoints_and_are_filled_before_more_are_made(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, service())
        await plane.client.create(DEPLOYMENTS, deployment(250))
        await plane.clock.advance(30)
        slices = await plane.all(ENDPOINT_SLICES)
        assert sum(len(each.endpoints) for each in slices) == 250
        assert max(len(each.endpoints) for each in slices) <= 100
        assert len(slices) == 3
        await plane.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 0}}, type="merge")
        await plane.clock.advance(30)
        (slice,) = await plane.all(ENDPOINT_SLICES)
        assert slice.endpoints == ()

    simulate(body)


def test_endpoints_go_with_their_service(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, service())
        await plane.clock.advance(2)
        await plane.client.delete(SERVICES, "web", "default")
        await plane.clock.advance(5)
        assert await plane.all(ENDPOINT_SLICES) == []
        assert await plane.get(ENDPOINTS, "web") is None

    simulate(body)


def test_a_service_without_selector_keeps_the_endpoints_somebody_else_wrote(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, msgspec.structs.replace(
            service(), spec=msgspec.structs.replace(service().spec, selector={})))  # fmt: skip
        await plane.clock.advance(5)
        assert await plane.all(ENDPOINT_SLICES) == []
        assert await plane.get(ENDPOINTS, "web") is None

    simulate(body)


def test_endpoints_written_by_hand_are_mirrored_as_slices_as_long_as_the_service_has_no_selector(simulate):
    async def body(plane):
        await plane.client.create(SERVICES, service(selector={}))
        endpoints = {
            "metadata": {"name": "web", "namespace": "default", "labels": {"by": "hand"}},
            "subsets": [
                {
                    "addresses": [{"ip": "192.0.2.7"}],
                    "notReadyAddresses": [{"ip": "192.0.2.8"}],
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                },
                {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
            ],
        }
        made = await plane.client.create(ENDPOINTS, msgspec.convert(endpoints, Endpoints))
        await plane.clock.advance(1)
        slices = await plane.all(ENDPOINT_SLICES)
        told = {
            each.ports[0].port: [(one.addresses, one.conditions.ready) for one in each.endpoints] for each in slices
        }
        assert told == {80: [(("192.0.2.7",), True), (("192.0.2.8",), False)], 443: [(("192.0.2.7",), True)]}
        labels = slices[0].metadata.labels
        assert labels["kubernetes.io/service-name"] == "web"
        assert labels["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
        assert labels["by"] == "hand"
        names = {each.metadata.name for each in slices}

        moved = msgspec.structs.replace(made, subsets=made.subsets[:1])
        await plane.client.update(ENDPOINTS, moved)
        await plane.clock.advance(1)
        (left,) = await plane.all(ENDPOINT_SLICES)
        assert left.metadata.name in names, "a slice that stays is kept"

        await plane.client.delete(ENDPOINTS, "web", "default")
        await plane.clock.advance(1)
        assert await plane.all(ENDPOINT_SLICES) == []

    simulate(body)
