"""The rules of a schema, asked about one object: a walk over the nodes that have rules, with one budget for all.

On update a rule that does not look at the old value tolerates what has not changed. Old values are found for fields,
map values and elements of lists of type map. Not here: compiling (`compiled`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proa.lang.cel.environment import Budget, Program
from proa.lang.cel.errors import BudgetError, CelError, EvaluationError, no_such_overload
from proa.lang.cel.steps import EXCEEDED
from proa.lang.cel.values import NONE, Optional
from proa.machinery.declare import UNSET
from proa.machinery.expressions.environment import BUDGET, LONGEST_MESSAGE
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path, quoted
from proa.machinery.rules.compiled import OLD_SELF, SELF, NodeRules, Rule, compiled
from proa.machinery.rules.views import Show
from proa.machinery.structural.tree import Document, Node

log = logging.getLogger(__name__)

_NO_MORE = "no further validation rules will be run"
_OUT_OF_BUDGET = f"validation failed due to running out of cost budget, {_NO_MORE}"


class Rules:
    """What a schema's rules say of documents. Compiled when the first one comes."""

    def __init__(self, root: Node, document: Document | None = None) -> None:
        self._root = root
        self._compiled: NodeRules | None = None
        self._ready = False

    def __call__(self, document: Document, old: Document | None, errors: ErrorList) -> None:
        """Adds what the rules find. old: the stored document that this one replaces."""
        if not self._ready:
            self._compiled = compiled(self._root)
            self._ready = True
        if self._compiled is not None:
            before = None if old is None else _Old(document, old, self._root)
            Walk(errors).visit(self._compiled, document, old, ROOT, before, None)


class _Stop(Exception):
    """No rule is asked any more."""


class _Old:
    """A value and the one it replaces, found to be the same thing; `same`: nothing of it has changed."""

    __slots__ = ("_node", "_old", "_same", "_value")

    def __init__(self, value: Any, old: Any, node: Node) -> None:
        self._value = value
        self._old = old
        self._node = node
        self._same: bool | None = None

    @property
    def same(self) -> bool:
        if self._same is None:
            self._same = _same(self._value, self._old, self._node)
        return self._same

    def key(self, name: str) -> _Old | None:
        value, old, node = self._value, self._old, self._node.child(name)
        if node is None or not isinstance(value, dict) or not isinstance(old, Mapping) or name not in old:
            return None
        return _Old(value[name], old[name], node)

    def element(self, value: Any, old: Any) -> _Old | None:
        return None if old is None or self._node.items is None else _Old(value, old, self._node.items)


def _same(value: Any, old: Any, node: Node | None) -> bool:
    if type(value) is not type(old):
        return False
    if isinstance(value, dict):
        return value.keys() == old.keys() and all(
            _same(each, old[name], None if node is None else node.child(name)) for name, each in value.items()
        )
    if isinstance(value, list):
        if len(value) != len(old):
            return False
        items = None if node is None else node.items
        if node is not None and node.list_type == "map":
            known = _by_key(old, node)
            return all(_same(each, known.get(_key(each, node)), items) for each in value)
        return all(_same(one, other, items) for one, other in zip(value, old, strict=True))
    return bool(value == old)


def _by_key(elements: Sequence[Any], node: Node) -> dict[Any, Any]:
    return {_key(each, node): each for each in elements}


def _key(element: Any, node: Node) -> tuple[Any, ...]:
    if not isinstance(element, Mapping):
        return ()
    found = (element.get(name, _default(node, name)) for name in node.list_keys)
    return tuple((type(each), each) if not isinstance(each, dict | list) else repr(each) for each in found)


def _default(node: Node, name: str) -> Any:
    known = node.items.properties.get(name) if node.items is not None else None
    return None if known is None or known.default is UNSET else known.default


class Walk:
    """One budget, and where the errors go."""

    def __init__(self, errors: ErrorList) -> None:
        self._errors = errors
        self._budget = Budget(BUDGET)

    def visit(
        self, rules: NodeRules, value: Any, old: Any, path: Path, before: _Old | None, above: _Old | None
    ) -> None:
        """before: the value with its old one, if there is one to it; above: the nearest such value around it."""
        try:
            self._visit(rules, value, old, path, before, above)
        except _Stop:
            return

    def _visit(
        self, rules: NodeRules, value: Any, old: Any, path: Path, before: _Old | None, above: _Old | None
    ) -> None:
        if value is None:
            return
        if rules.rules:
            self._evaluate(rules, value, old, path, before or above)
        for part in rules.all_of:
            self._visit(part, value, old, path, None, above)
        if isinstance(value, list):
            if rules.items is not None:
                self._elements(rules, rules.items, value, old, path, before, above)
        elif isinstance(value, dict):
            self._fields(rules, value, old, path, before, above)

    def _fields(
        self,
        rules: NodeRules,
        value: Mapping[str, Any],
        old: Any,
        path: Path,
        before: _Old | None,
        above: _Old | None,
    ) -> None:
        known = old if isinstance(old, Mapping) else {}
        for name, each in value.items():
            below = rules.additional or rules.properties.get(name)
            if below is None:
                continue
            at = path.key(name) if rules.additional is not None else path.child(name)
            own, around = (None, above) if before is None else (before.key(name), before)
            if before is not None and above is None and name in ("apiVersion", "kind"):
                own = around = None
            self._visit(below, each, known.get(name), at, own, around)

    def _elements(
        self,
        rules: NodeRules,
        items: NodeRules,
        value: Sequence[Any],
        old: Any,
        path: Path,
        before: _Old | None,
        above: _Old | None,
    ) -> None:
        keyed = rules.node.list_type == "map" and isinstance(old, list)
        known = _by_key(old, rules.node) if keyed else {}
        for position, each in enumerate(value):
            was = known.get(_key(each, rules.node)) if keyed else None
            own, around = (None, above) if before is None else (before.element(each, was), before)
            self._visit(items, each, was, path.index(position), own, around)

    # One node

    def _evaluate(self, rules: NodeRules, value: Any, old: Any, path: Path, before: _Old | None) -> None:
        if self._budget.remaining <= 0:
            raise self._stop(path, rules.node, _OUT_OF_BUDGET)
        shown, wrong = _shown(rules.show, value)
        variables: dict[str, Any] = {SELF: shown}
        optional, old_wrong = variables, None
        if rules.sees_old:
            optional = {**variables, OLD_SELF: NONE}
            if old is not None:
                variables[OLD_SELF], old_wrong = _shown(rules.show, old)
                optional[OLD_SELF] = Optional(variables[OLD_SELF])
        for rule in rules.rules:
            if rule.program is None:
                if rule.error:
                    self._errors.invalid(_field(path), rules.node.type, f"rule compile error: {rule.error}")
            elif not (rule.transition and old is None and not rule.optional_old):
                error = wrong or (old_wrong if rule.transition else None)
                if error is not None:
                    self._errors.invalid(_field(path), rules.node.type, _failure(error, rule))
                    continue
                seen = optional if rule.optional_old else variables
                self._ask(rule, rule.program, seen, rules.node, value, path, before)

    def _ask(
        self,
        rule: Rule,
        program: Program,
        variables: Mapping[str, Any],
        node: Node,
        value: Any,
        path: Path,
        before: _Old | None,
    ) -> None:
        try:
            holds = _evaluated(program, variables, self._budget)
        except BudgetError as error:
            if self._budget.remaining < 0:
                raise self._stop(path, node, _OUT_OF_BUDGET) from None
            why = f"'{error}': {_NO_MORE} due to call cost exceeds limit for rule: {rule.shown}"
            raise self._stop(path, node, why) from None
        except EvaluationError as error:
            self._errors.invalid(_field(path), node.type, _failure(error, rule))
            return
        if holds is True:
            return
        at = path.child(rule.field) if rule.field else path
        tolerable = not rule.transition and before is not None and before.same
        tell = self._errors.tolerate if tolerable else self._errors.add
        detail = self._message(rule, variables, node, at, tell)
        tell(_error(rule, at, node, value, detail))

    def _message(
        self, rule: Rule, variables: Mapping[str, Any], node: Node, path: Path, tell: Callable[[FieldError], None]
    ) -> str:
        if rule.message is not None:
            try:
                return _checked(_evaluated(rule.message, variables, self._budget))
            except BudgetError as error:
                if str(error) == EXCEEDED:
                    why = (
                        f"{_NO_MORE} due to call cost exceeds limit for messageExpression: "
                        f"{quoted(rule.message.source)}"
                    )
                else:
                    why = f"messageExpression evaluation failed due to running out of cost budget, {_NO_MORE}"
                tell(FieldError("FieldValueInvalid", str(_field(path)), node.type, why))
                raise _Stop from None
            except CelError as error:
                log.debug("messageExpression evaluation failed: %s", error)
        message = str(rule.document.get("message") or "").strip()
        return message or f"failed rule: {rule.shown}"

    def _stop(self, path: Path, node: Node, why: str) -> _Stop:
        self._errors.invalid(_field(path), node.type, why)
        return _Stop()


def _shown(show: Show | None, value: Any) -> tuple[Any, EvaluationError | None]:
    """The value as its schema means it, or why it has no such meaning: stored ones may be older than their schema."""
    if show is None:
        return value, None
    try:
        return show(value), None
    except EvaluationError as error:
        return None, error


def _evaluated(program: Program, variables: Mapping[str, Any], budget: Budget) -> Any:
    """What a program says. Values that are not what their schema promises are no operands of anything."""
    try:
        return program.evaluate(variables, budget)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        log.debug("a value is not what its schema says: %r", error)
        raise no_such_overload() from error


def _failure(error: EvaluationError, rule: Rule) -> str:
    if str(error).startswith("no such overload"):
        return (
            f"'{error}': call arguments did not match a supported operator, function or macro signature "
            f"for rule: {rule.shown}"
        )
    return f"{error} evaluating rule: {rule.shown}"


def _checked(message: str) -> str:
    """Raises CelError for what is no message."""
    text = message.strip()
    if len(text.encode()) > LONGEST_MESSAGE:
        raise CelError(f"messageExpression beyond allowable length of {LONGEST_MESSAGE}")
    if "\n" in text:
        raise CelError("messageExpression should not contain line breaks")
    if not text:
        raise CelError("messageExpression should evaluate to a non-empty string")
    return text


def _field(path: Path) -> Path:
    return path if str(path) else Path("<nil>")


def _error(rule: Rule, path: Path, node: Node, value: Any, detail: str) -> FieldError:
    reason = str(rule.document.get("reason") or "FieldValueInvalid")
    field = str(_field(path))
    if reason in ("FieldValueForbidden", "FieldValueRequired"):
        return FieldError(reason, field, detail=detail)
    shown = {} if node.type in ("object", "array") else {"value": value}
    if reason == "FieldValueDuplicate":
        return FieldError(reason, field, **shown)
    return FieldError("FieldValueInvalid", field, detail=detail, **shown)
