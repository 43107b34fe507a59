"""What is wrong with the rules of a schema when it is written: texts, types, and what evaluating them may cost.

The cost of a rule is estimated from its types' limits and from how often its node can occur in one object. Source: the
numbers and messages are upstream's, since they tell what has to be limited. Not here: whether the schema is well formed
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from proa.lang.cel.cost import UNLIMITED
from proa.machinery.fields import ErrorList, Path
from proa.machinery.rules.compiled import Rule, compile_rules
from proa.machinery.rules.declared import LARGEST_REQUEST, Declared, DeclaredSizes, declared, property_of
from proa.machinery.rules.field_paths import FieldPathError, resolve
from proa.machinery.structural.tree import Node

RULE_LIMIT = 10_000_000
SCHEMA_LIMIT = 100_000_000

_RULES = "x-kubernetes-validations"
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_LINE_BREAK = re.compile(r"[\n\r]")
_MOST_TOLD = 4


def check_rules(root: Node, path: Path, errors: ErrorList) -> None:
    """Adds what is wrong with the rules of a schema that is well formed. path: where the schema stands."""
    before = len(errors)
    _texts(root, path, errors)
    if len(errors) > before:
        return
    costs = _Costs()
    _Check(errors, costs).visit(root, path, _Place(declared(root, root=True), 1))
    costs.tell(path, errors)


# Texts


def _texts(node: Node, path: Path, errors: ErrorList) -> None:
    for position, rule in enumerate(node.rules):
        _rule_texts(rule, node, path.child(_RULES).index(position), errors)
    for below, at in _below(node, path):
        _texts(below, at, errors)
    for position, part in enumerate(node.all_of):
        _texts(part, path.child("allOf").index(position), errors)


def _below(node: Node, path: Path) -> list[tuple[Node, Path]]:
    found = [(each, path.child("properties").key(name)) for name, each in node.properties.items()]
    if isinstance(node.additional, Node):
        found.append((node.additional, path.child("additionalProperties")))
    if node.items is not None:
        found.append((node.items, path.child("items")))
    return found


def _rule_texts(rule: Mapping[str, Any], node: Node, path: Path, errors: ErrorList) -> None:
    source, message, expression, where = (
        str(rule.get(name) or "") for name in ("rule", "message", "messageExpression", "fieldPath")
    )
    if not source.strip():
        errors.required(path.child("rule"), "rule is not specified")
    elif message and not message.strip():
        errors.invalid(path.child("message"), message, "must be non-empty if specified")
    elif _LINE_BREAK.search(message.strip()):
        errors.invalid(path.child("message"), message, "must not contain line breaks")
    elif _LINE_BREAK.search(source.strip()) and not message.strip():
        errors.required(path.child("message"), "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        errors.required(path.child("messageExpression"), "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.unsupported(path.child("reason"), reason, _REASONS)
    if where:
        _field_path(where, node, path.child("fieldPath"), errors)


def _field_path(where: str, node: Node, path: Path, errors: ErrorList) -> None:
    if not where.strip():
        errors.invalid(path, where, "must be non-empty if specified")
    if _LINE_BREAK.search(where):
        errors.invalid(path, where, "must not contain line breaks")
    try:
        resolve(where, node)
    except FieldPathError:
        errors.invalid(path, where, "must be a valid path")


# Types and costs


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node is. type: its own, None where expressions do not see it. most: how often it can be in one object,
    None for as often as fits. apart: around it old and new values cannot be told to be the same; None: they can."""

    type: Declared | None
    most: int | None
    apart: Path | None = None


@dataclass(slots=True)
class _Costs:
    """All rules together, and which cost the most."""

    total: int = 0
    greatest: list[tuple[int, Path]] = field(default_factory=list)

    def add(self, cost: int, path: Path) -> None:
        self.total = min(self.total + cost, UNLIMITED)
        if cost >= SCHEMA_LIMIT // 100:
            self.greatest = sorted([*self.greatest, (cost, path)], key=lambda each: -each[0])[:_MOST_TOLD]

    def tell(self, path: Path, errors: ErrorList) -> None:
        if self.total <= SCHEMA_LIMIT:
            return
        for _, where in self.greatest:
            errors.forbidden(
                where, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            )
        what = f"{_RULES} estimated rule cost total for entire OpenAPIv3 schema"
        errors.forbidden(path, _exceeds(what, self.total, SCHEMA_LIMIT))


def _exceeds(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and "
        "maxLength where arrays, maps, and strings are declared)"
    )


class _Check:
    def __init__(self, errors: ErrorList, costs: _Costs) -> None:
        self._errors = errors
        self._costs = costs

    def visit(self, node: Node, path: Path, place: _Place) -> None:
        for name, below in node.properties.items():
            self.visit(below, path.child("properties").key(name), _property(name, below, place))
        if isinstance(node.additional, Node):
            inside = _inside(place, node.additional, node.max_properties)
            self.visit(node.additional, path.child("additionalProperties"), inside)
        if node.items is not None:
            inside = _inside(place, node.items, node.max_items)
            if node.list_type != "map":
                inside = replace(inside, apart=path)
            self.visit(node.items, path.child("items"), inside)
        if node.rules:
            self._rules(node, path.child(_RULES), place)

    def _rules(self, node: Node, path: Path, place: _Place) -> None:
        of = place.type
        if of is None:
            self._errors.internal(
                path,
                "internal error: failed to construct type information for x-kubernetes-validations rules: "
                "unable to convert structural schema to CEL declarations",
            )
            return
        sizes = DeclaredSizes(of)
        most = LARGEST_REQUEST // (of.least + 1) if place.most is None else place.most
        for position, rule in enumerate(compile_rules(node.rules, node, of)):
            self._rule(rule, path.index(position), place, sizes, most)

    def _rule(self, rule: Rule, path: Path, place: _Place, sizes: DeclaredSizes, most: int) -> None:
        errors, at = self._errors, path.child("rule")
        if rule.program is not None:
            cost = min(rule.program.cost_of(sizes).high * most, UNLIMITED)
            if cost > RULE_LIMIT:
                errors.forbidden(at, _exceeds("estimated rule cost", cost, RULE_LIMIT))
            self._costs.add(cost, at)
        if rule.error:
            errors.invalid(at, dict(rule.document), rule.error)
        self._message(rule, path.child("messageExpression"), sizes)
        if rule.transition:
            if place.apart is not None:
                why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.apart}"
                errors.invalid(at, rule.document.get("rule"), why)
        elif rule.document.get("optionalOldSelf") is not None:
            why = "may not be set if oldSelf is not used in rule"
            errors.invalid(path.child("optionalOldSelf"), rule.document["optionalOldSelf"], why)

    def _message(self, rule: Rule, path: Path, sizes: DeclaredSizes) -> None:
        if rule.message_error:
            self._errors.invalid(path, dict(rule.document), rule.message_error)
        if rule.message is not None:
            cost = rule.message.cost_of(sizes).high
            if cost > RULE_LIMIT:
                self._errors.forbidden(path, _exceeds("estimated messageExpression cost", cost, RULE_LIMIT))
            self._costs.add(cost, path)


def _property(name: str, below: Node, place: _Place) -> _Place:
    """A property can be as often as what it is a property of."""
    known = property_of(place.type, name, below) if place.type is not None else None
    return replace(place, type=known or declared(below, root=below.embedded))


def _inside(place: _Place, below: Node, limit: int | None) -> _Place:
    most = None if place.most is None or limit is None else min(place.most * max(limit, 0), UNLIMITED)
    known = place.type.element if place.type is not None else None
    return replace(place, type=known or declared(below, root=below.embedded), most=most)
