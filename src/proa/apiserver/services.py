"""Where a Service leads: straight to a ready endpoint, as the server itself reaches pods without the service proxy.

For webhooks, aggregated API servers and the services/proxy subresource alike. Not here: opening the connection.
"""

from __future__ import annotations

import ipaddress
from random import Random
from typing import NamedTuple

from proa.api.core_v1 import Service
from proa.api.core_v1.resources import SERVICES
from proa.api.discovery_v1 import EndpointSlice
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.client.protocol import Client
from proa.machinery import status as failures
from proa.machinery.fields import quoted

_SERVICE_NAME = "kubernetes.io/service-name"


class Target(NamedTuple):
    """An address to connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


class ServiceResolver:
    """`client` may read every Service and EndpointSlice; `random` spreads the load over the endpoints."""

    def __init__(self, client: Client, random: Random) -> None:
        self._client = client
        self._random = random

    async def resolve(self, namespace: str, name: str, port: int | str) -> Target:
        """A ready endpoint behind a port, which is a number, a name, or '' for the only one.

        An ExternalName leads to its own host. Raises StatusError: 404 without the Service, 503 without the port or
        without a ready endpoint.
        """
        service = await self._client.get(SERVICES, name, namespace)
        if service.spec.type == "ExternalName":
            if not str(port).isdigit():
                raise failures.service_unavailable(_no_port(name, port))
            return Target(service.spec.externalName, int(port))
        wanted = _port_name(service, port)
        slices = await self._client.list(ENDPOINT_SLICES, namespace, label_selector=f"{_SERVICE_NAME}={name}")
        found = [each for piece in slices.items for each in _targets(piece, wanted)]
        if not found:
            raise failures.service_unavailable(f"no endpoints available for service {quoted(name)}")
        families = service.spec.ipFamilies
        if families:
            found = [each for each in found if _family(each.host) == families[0]] or found
        return self._random.choice(found)


def bracketed(address: str) -> str:
    """An address as a URL says it."""
    return f"[{address}]" if ":" in address else address


def _targets(piece: EndpointSlice, port_name: str) -> list[Target]:
    number = next((each.port for each in piece.ports if (each.name or "") == port_name), None)
    if number is None:
        return []
    return [
        Target(each.addresses[0], number)
        for each in piece.endpoints
        if each.conditions.ready is not False and each.addresses
    ]


def _port_name(service: Service, port: int | str) -> str:
    """The name under which endpoint slices list the port."""
    ports = service.spec.ports
    if port == "" and len(ports) == 1:
        return ports[0].name
    for each in ports:
        if port != "" and str(port) in (str(each.port), each.name):
            return each.name
    raise failures.service_unavailable(_no_port(service.metadata.name, port))


def _no_port(service: str, port: int | str) -> str:
    number = port if isinstance(port, int) else quoted(port)
    return f"no service port {number} found for service {quoted(service)}"


def _family(address: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""
