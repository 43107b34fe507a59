"""Printer columns of endpoint slices."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, Document, path
from proa.machinery.resource import Column


def _shortened(found: list[str], most: int = 3) -> str:
    if not found:
        return "<unset>"
    return ",".join(found[:most]) + (f" + {len(found) - most} more..." if len(found) > most else "")


def _ports(document: Document) -> str:
    return _shortened([str(each["port"]) if each.get("port") else "*" for each in document.get("ports") or ()])


def _endpoints(document: Document) -> str:
    return _shortened([each for one in document.get("endpoints") or () for each in one.get("addresses") or ()])


ENDPOINT_SLICES = (
    NAME,
    Column("AddressType", path("addressType"), description="IPv4, IPv6 or FQDN."),
    Column("Ports", _ports, description="Its ports."),
    Column("Endpoints", _endpoints, description="Its addresses."),
    AGE,
)
