"""What makes a choice of nodes wrong beyond what its fields declare."""

from __future__ import annotations

from proa.api.core_v1.placement import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, TopologySelectorTerm
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, label_value, qualified_name


def validate_node_selector(selector: NodeSelector, path: Path, errors: ErrorList) -> None:
    terms = path.child("nodeSelectorTerms")
    if not selector.nodeSelectorTerms:
        errors.required(terms, "must have at least one node selector term")
    for position, term in enumerate(selector.nodeSelectorTerms):
        validate_node_selector_term(term, terms.index(position), errors)


def validate_node_selector_term(
    term: NodeSelectorTerm, path: Path, errors: ErrorList, *, any_value: bool = False
) -> None:
    """any_value: whether values may be what no label can be."""
    for position, each in enumerate(term.matchExpressions):
        _validate_expression(each, path.child("matchExpressions").index(position), errors, any_value)
    for position, each in enumerate(term.matchFields):
        _validate_field(each, path.child("matchFields").index(position), errors)


def _validate_expression(requirement: NodeSelectorRequirement, path: Path, errors: ErrorList, any_value: bool) -> None:
    values, at = requirement.values, path.child("values")
    match requirement.operator:
        case "In" | "NotIn":
            if not values:
                errors.required(at, "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if values:
                errors.forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        case "Gt" | "Lt":
            if len(values) != 1:
                errors.required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'")
        case _:
            errors.invalid(path.child("operator"), requirement.operator, "not a valid selector operator")
    check_names(errors, path.child("key"), requirement.key, qualified_name(requirement.key))
    if not any_value:
        for position, value in enumerate(values):
            check_names(errors, at.index(position), value, label_value(value))


def _validate_field(requirement: NodeSelectorRequirement, path: Path, errors: ErrorList) -> None:
    if requirement.operator not in ("In", "NotIn"):
        errors.invalid(path.child("operator"), requirement.operator, "not a valid selector operator")
    elif len(requirement.values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.required(path.child("values"), detail)
    if requirement.key != "metadata.name":
        errors.invalid(path.child("key"), requirement.key, "not a valid field selector key")
        return
    for position, value in enumerate(requirement.values):
        check_names(errors, path.child("values").index(position), value, dns1123_subdomain(value))


def validate_topology_terms(terms: tuple[TopologySelectorTerm, ...], path: Path, errors: ErrorList) -> None:
    """Where volumes may be: each term says something of its own."""
    seen: list[dict[str, frozenset[str]]] = []
    for position, term in enumerate(terms):
        at = path.index(position).child("matchLabelExpressions")
        said: dict[str, frozenset[str]] = {}
        for number, each in enumerate(term.matchLabelExpressions):
            one = at.index(number)
            if not each.values:
                errors.required(one.child("values"))
            for index, value in enumerate(each.values):
                if value in each.values[:index]:
                    errors.duplicate(one.child("values").index(index), value)
            check_names(errors, one.child("key"), each.key, qualified_name(each.key))
            if each.key in said:
                errors.duplicate(one.child("key"), each.key)
            said[each.key] = frozenset(each.values)
        if said in seen:
            errors.duplicate(at, "")
        seen.append(said)
