"""DenyServiceExternalIPs (opt-in): nobody takes over addresses by naming them in a Service; what is there may stay."""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.columns import dig
from proa.machinery.resource import Resource


class DenyServiceExternalIPs(Stateless):
    name = "DenyServiceExternalIPs"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == "services" and not subresource and operation in ("CREATE", "UPDATE")

    def validate(self, attributes: Attributes) -> None:
        new, old = (set(dig(each, "spec", "externalIPs") or ()) for each in (attributes.document, attributes.old))
        if new - old:
            raise attributes.forbidden("Use of external IPs is denied by admission control")
