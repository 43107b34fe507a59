from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN, options

from proa.api.core_v1.resources import SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.apiserver.compose import ApiServer
from proa.apiserver.services import ServiceResolver, Target
from proa.machinery.status import StatusError


async def serve(server: ApiServer, *endpoints: tuple[str, bool | None], **spec: Any) -> ServiceResolver:
    """The Service ops/web with two ports and these endpoints: address and readiness."""
    ports = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports, **spec}}
    await server.registry(SERVICES).create("ops", service, options())
    piece = {
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}, {"name": "https", "port": 8443}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address, ready in endpoints],
    }
    await server.registry(ENDPOINT_SLICES).create("ops", piece, options())
    return ServiceResolver(server.client_for(ADMIN), Random(1))


async def test_a_port_leads_to_that_of_a_ready_endpoint_by_number_and_by_name(server: ApiServer) -> None:
    services = await serve(server, ("10.0.0.1", False), ("10.0.0.2", True))
    assert await services.resolve("ops", "web", 443) == Target("10.0.0.2", 8443)
    assert await services.resolve("ops", "web", "http") == Target("10.0.0.2", 8080)
    assert await services.resolve("ops", "web", "80") == Target("10.0.0.2", 8080)


async def test_every_ready_endpoint_is_used_and_unknown_counts_as_ready(server: ApiServer) -> None:
    services = await serve(server, ("10.0.0.1", None), ("10.0.0.2", True), ("10.0.0.3", False))
    found = {(await services.resolve("ops", "web", 80)).host for _ in range(50)}
    assert found == {"10.0.0.1", "10.0.0.2"}


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (81, 'no service port 81 found for service "web"'),
        ("", 'no service port "" found for service "web"'),
        (80, 'no endpoints available for service "web"'),
    ],
)
async def test_what_leads_nowhere_is_unavailable(server: ApiServer, port: int | str, why: str) -> None:
    services = await serve(server, ("10.0.0.1", False))
    with pytest.raises(StatusError) as caught:
        await services.resolve("ops", "web", port)
    assert (caught.value.code, caught.value.message) == (503, why)


async def test_a_service_that_is_not_there_is_not_found(server: ApiServer) -> None:
    services = ServiceResolver(server.client_for(ADMIN), Random(1))
    with pytest.raises(StatusError) as caught:
        await services.resolve("ops", "web", 80)
    assert caught.value.code == 404


async def test_an_external_name_leads_to_itself(server: ApiServer) -> None:
    services = await serve(server, type="ExternalName", externalName="example.com")
    assert await services.resolve("ops", "web", 8080) == Target("example.com", 8080)
