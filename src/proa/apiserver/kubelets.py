"""Where kubelets are reached, and as whom: every node's address as it says itself, with this server's certificate.

Here: finding them. Not here: what they are asked (`handlers.sessions`, `handlers.proxies`).
"""

from __future__ import annotations

import ssl

import msgspec

from proa.apiserver.metadata import Document
from proa.apiserver.proxying.backend import Backend
from proa.apiserver.registry import Registry
from proa.machinery import status as failures

_ADDRESS_TYPES = ("InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP")
_PORT = 10250


class Kubelets:
    """`tls` authenticates this server to kubelets and verifies them; None: they are not reachable."""

    def __init__(self, nodes: Registry, tls: ssl.SSLContext | None) -> None:
        self._nodes = nodes
        self._tls = tls

    async def of(self, node: str) -> Backend:
        """The kubelet of a node. Raises StatusError."""
        if self._tls is None:
            raise failures.not_implemented("this API server was given no credentials for kubelets")
        document: Document = msgspec.json.decode((await self._nodes.get("", node)).body)
        status = document.get("status") or {}
        addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
        address = next((addresses[kind] for kind in _ADDRESS_TYPES if kind in addresses), None)
        if address is None:
            raise failures.internal_error(f'no preferred addresses found for node "{node}"')
        endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
        return Backend(address, endpoint.get("Port") or _PORT, self._tls)
