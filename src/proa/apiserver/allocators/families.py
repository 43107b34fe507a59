"""IP families of a Service: what it says, and what a cluster with one family makes of it.

Not here: whether addresses and families fit each other (`service_validation.check_addresses`), which address is free.
"""

from __future__ import annotations

import msgspec

from proa.api.core_v1 import ServiceSpec
from proa.api.core_v1.service_validation import check_addresses, family_of
from proa.apiserver.metadata import Document
from proa.machinery.fields import ErrorList, Path
from proa.rules.service_addresses import HEADLESS

_SPEC = Path("spec")
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def settle_families(spec: Document, family: str, errors: ErrorList) -> None:
    """Fill in families and policy of a Service that has addresses. family: the cluster's."""
    free = spec.get("clusterIP") == HEADLESS and not spec.get("selector")  # its endpoints are somebody else's matter
    if spec.get("ipFamilyPolicy") is None:
        spec["ipFamilyPolicy"] = "RequireDualStack" if free else "SingleStack"
    check_addresses(msgspec.convert(spec, ServiceSpec), errors)
    if errors:
        return
    policy, families = spec["ipFamilyPolicy"], list(spec.get("ipFamilies") or ())
    addresses = spec.get("clusterIPs") or []
    if policy == "SingleStack":
        for count, what in ((len(addresses), "cluster IPs"), (len(families), "IP families")):
            if count == 2:
                detail = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                errors.invalid(_SPEC.child("ipFamilyPolicy"), policy, detail)
    if free:
        families = families or [family]
        if policy != "SingleStack" and len(families) < 2:
            families.append(_OTHER[families[0]])
        spec["ipFamilies"] = families
        return
    for index, address in enumerate(addresses if addresses != [HEADLESS] else []):
        if index >= len(families) and family_of(address) != family:
            detail = f"{family_of(address)} is not configured on this cluster"
            errors.invalid(_SPEC.child("clusterIPs").index(index), addresses, detail)
    if policy == "RequireDualStack":
        detail = "this cluster is not configured for dual-stack services"
        errors.invalid(_SPEC.child("ipFamilyPolicy"), policy, detail)
    for index, each in enumerate(families):
        if each != family:
            errors.invalid(_SPEC.child("ipFamilies").index(index), each, "not configured on this cluster")
    spec["ipFamilies"] = families or [family]
