"""Printer columns of ingresses, network policies and service addresses."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, NONE, Document, dig, path, selector_text
from proa.machinery.resource import Column

_MOST_HOSTS = 3


def _hosts(ingress: Document) -> str:
    rules = dig(ingress, "spec", "rules") or ()
    hosts = [each["host"] for each in rules if each.get("host")]
    if not hosts:
        return "*"
    more = len(rules) - _MOST_HOSTS
    return ",".join(hosts[:_MOST_HOSTS]) + (f" + {more} more..." if more > 0 and len(hosts) >= _MOST_HOSTS else "")


def _addresses(ingress: Document) -> str:
    points = dig(ingress, "status", "loadBalancer", "ingress") or ()
    return ",".join(sorted({each.get("ip") or each.get("hostname") or "" for each in points} - {""}))


def _ports(ingress: Document) -> str:
    return "80, 443" if dig(ingress, "spec", "tls") else "80"


INGRESSES = (
    NAME,
    Column("Class", path("spec.ingressClassName", NONE), description="The class that serves it."),
    Column("Hosts", _hosts, description="The hosts of its rules."),
    Column("Address", _addresses, description="Where it is served."),
    Column("Ports", _ports, description="The ports it is served on."),
    AGE,
)


def _parameters(ingress_class: Document) -> str:
    reference = dig(ingress_class, "spec", "parameters")
    if not reference:
        return NONE
    group = reference.get("apiGroup")
    kind = f"{reference.get('kind')}.{group}" if group is not None else reference.get("kind")
    return f"{kind}/{reference.get('name')}"


def _class_name(ingress_class: Document) -> str:
    name = dig(ingress_class, "metadata", "name") or ""
    default = dig(ingress_class, "metadata", "annotations", "ingressclass.kubernetes.io/is-default-class") == "true"
    return f"{name} (default)" if default else name


INGRESS_CLASSES = (
    Column("Name", _class_name, format="name", description=NAME.description),
    Column("Controller", path("spec.controller"), description="Who serves its ingresses."),
    Column("Parameters", _parameters, description="More configuration."),
    AGE,
)
NETWORK_POLICIES = (
    NAME,
    Column("Pod-Selector", lambda d: selector_text(dig(d, "spec", "podSelector")), description="Which pods."),
    AGE,
)


def _parent(address: Document) -> str:
    reference = dig(address, "spec", "parentRef")
    if not reference:
        return NONE
    group, resource = reference.get("group"), reference.get("resource", "")
    kind = (f"{resource}.{group}" if group else resource).lower()
    return "/".join(filter(None, (kind, reference.get("namespace"), reference.get("name"))))


SERVICE_CIDRS = (
    NAME,
    Column("CIDRs", lambda d: ",".join(dig(d, "spec", "cidrs") or ()), description="Ranges of service addresses."),
    AGE,
)
IP_ADDRESSES = (NAME, Column("ParentRef", _parent, description="What the address belongs to."), AGE)
