"""How nodes differ from the generic registry: networks said by old clients and new ones, taints, what a node has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.api.core_v1.container_resources import check_resource_amount
from proa.api.core_v1.node import Node
from proa.api.core_v1.placement import Taint
from proa.machinery.address_spelling import network_warnings
from proa.machinery.addresses import cidr
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, FieldError, Path
from proa.machinery.names import label_value, qualified_name
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC = Path("spec")
_STATUS = Path("status")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class NodeStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        """A node's first network, as old clients and new ones say it: where they differ, the old one's word counts."""
        spec = document.get("spec") or {}
        first, networks = spec.get("podCIDR"), spec.get("podCIDRs")
        if first and (not networks or networks[0] != first):
            spec["podCIDRs"] = [first]
        elif networks and not first:
            spec["podCIDR"] = networks[0]

    def prepare_for_create(self, document: Document) -> None:
        """A kubelet registers with the status it has."""

    def validate(self, new: Node, errors: ErrorList) -> None:
        if new.spec.taints:
            _validate_taints(new.spec.taints, errors)
        for index, network in enumerate(new.spec.podCIDRs):
            check_names(errors, _SPEC.child("podCIDRs").index(index), network, cidr(network))
        if len(new.spec.podCIDRs) > len({":" in each for each in new.spec.podCIDRs}):
            detail = "may specify no more than one CIDR for each IP family"
            errors.invalid(_SPEC.child("podCIDRs"), new.spec.podCIDRs, detail)

    def validate_create(self, new: Node, errors: ErrorList) -> None:
        _validate_capacity(new, errors)

    def validate_update(self, new: Node, old: Node, errors: ErrorList) -> None:
        if old.spec.podCIDRs and new.spec.podCIDRs != old.spec.podCIDRs:
            detail = 'node updates may not change podCIDR except from "" to valid'
            errors.forbidden(_SPEC.child("podCIDRs"), detail)
        if old.spec.providerID and new.spec.providerID != old.spec.providerID:
            detail = 'node updates may not change providerID except from "" to valid'
            errors.forbidden(_SPEC.child("providerID"), detail)
        if new.spec.externalID != old.spec.externalID:
            errors.forbidden(_SPEC.child("externalID"), "may not be updated")
        after, before = new.status, old.status
        if (after.capacity, after.allocatable) != (before.capacity, before.allocatable):
            _validate_capacity(new, errors)
        if after.addresses != before.addresses:
            for index, address in enumerate(after.addresses):
                if address in after.addresses[:index]:
                    errors.duplicate(_STATUS.child("addresses").index(index), address)

    def warnings(self, new: Node, old: Node | None) -> list[str]:
        found = [
            text
            for position, network in enumerate(new.spec.podCIDRs)
            for text in network_warnings(network, _SPEC.child("podCIDRs").index(position))
        ]
        if new.spec.configSource is not None:
            found.append("spec.configSource: the feature is removed")
        if new.spec.externalID:
            found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
        return found


def _validate_taints(taints: Sequence[Taint], errors: ErrorList) -> None:
    """They were annotations once, and are still said to be in the metadata, in the words of Go."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = Path("metadata", "taints").index(index)
        check_names(errors, at.child("key"), taint.key, qualified_name(taint.key))
        problems = label_value(taint.value)
        if problems:
            errors.invalid(at.child("value"), taint.value, ";".join(problems))
        if not taint.effect:
            errors.required(at.child("effect"))
        elif taint.effect not in _EFFECTS:
            errors.unsupported(at.child("effect"), taint.effect, _EFFECTS)
        if (taint.key, taint.effect) in seen:
            said = {"Key": taint.key, "Value": taint.value, "Effect": taint.effect, "TimeAdded": taint.timeAdded}
            detail = "taints must be unique by key and effect pair"
            errors.add(FieldError("FieldValueDuplicate", str(at), said, detail))
        seen.add((taint.key, taint.effect))


def _validate_capacity(node: Node, errors: ErrorList) -> None:
    for field in ("capacity", "allocatable"):
        for name, amount in getattr(node.status, field).items():
            check_resource_amount(name, amount, _STATUS.child(field, name), errors)
