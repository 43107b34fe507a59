"""The rules of a schema as programs, node by node; nodes that have none below them are not there.

A rule sees `self`, and `oldSelf` when an object is changed. Source: what a rule may say and how it is answered is the
CRD reference. Not here: evaluating (`evaluated`), what is wrong with rules when they are written (`checked`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.environment import Environment, Program
from proa.lang.cel.errors import CelError, CompileError, InstantiationError
from proa.lang.cel.types import Type
from proa.machinery.expressions.environment import with_variables
from proa.machinery.fields import Path
from proa.machinery.rules.declared import Declared, declared, property_of
from proa.machinery.rules.field_paths import FieldPathError, resolve
from proa.machinery.rules.views import Show, view_of
from proa.machinery.structural.tree import Document, Node

SELF, OLD_SELF = "self", "oldSelf"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. program: None when it does not compile, `error` says why. transition: it is about a change.

    message_error: why there is no `message` although there is a messageExpression. field: below the node it is told of.
    """

    document: Document
    program: Program | None
    error: str = ""
    message: Program | None = None
    message_error: str = ""
    transition: bool = False
    field: str = ""

    @property
    def optional_old(self) -> bool:
        return bool(self.document.get("optionalOldSelf"))

    @property
    def shown(self) -> str:
        """How errors name it."""
        return str(self.document.get("message") or self.document.get("rule") or "").strip()


@dataclass(frozen=True, slots=True)
class NodeRules:
    """The rules about values of one schema and about what is below them. show: how `self` is made of a value."""

    node: Node
    rules: tuple[Rule, ...]
    show: Show | None
    properties: Mapping[str, NodeRules]
    additional: NodeRules | None
    items: NodeRules | None
    all_of: tuple[NodeRules, ...]

    @property
    def sees_old(self) -> bool:
        return any(each.transition for each in self.rules)


def compiled(node: Node, *, root: bool = True) -> NodeRules | None:
    """The rules of a schema and below; None without any. root: it is that of a whole resource."""
    compiler = _Compiler()
    return compiler.node(node, node, root, declared(node, root=root)) if compiler.concerned(node) else None


class _Compiler:
    """Goes only where there are rules: schemas are large, and most of them have few."""

    def __init__(self) -> None:
        self._concerned: dict[int, bool] = {}

    def concerned(self, node: Node) -> bool:
        """Whether there are rules at a node or below."""
        known = self._concerned.get(id(node))
        if known is None:
            known = bool(node.rules) or any(map(self.concerned, (*node.children(), *node.all_of)))
            self._concerned[id(node)] = known
        return known

    def node(self, said: Node, node: Node, root: bool, of: Declared | None) -> NodeRules | None:
        """said: where rules stand; node: the schema they are about, another one for what is said below allOf."""
        if of is None or not self.concerned(said):
            return None
        rules = compile_rules(said.rules, node, of) if said.rules else ()
        properties = {
            name: found
            for name, below in said.properties.items()
            if (found := self._property(name, below, node, of)) is not None
        }
        additional = items = None
        if isinstance(said.additional, Node) and isinstance(node.additional, Node):
            additional = self.node(said.additional, node.additional, node.additional.embedded, of.element)
        if said.items is not None and node.items is not None:
            items = self.node(said.items, node.items, node.items.embedded, of.element)
        parts = (self.node(each, node, root, of) for each in said.all_of)
        all_of = tuple(each for each in parts if each is not None)
        if not (rules or properties or additional or items or all_of):
            return None
        return NodeRules(node, rules, view_of(node, root=root), properties, additional, items, all_of)

    def _property(self, name: str, said: Node, node: Node, of: Declared) -> NodeRules | None:
        below = node.properties.get(name)
        if below is None or not self.concerned(said):
            return None
        return self.node(said, below, below.embedded, property_of(of, name, below))


def compile_rules(documents: tuple[Document, ...], node: Node, of: Declared) -> tuple[Rule, ...]:
    """The rules that stand at one node."""
    plain = _environment(of.type, of.type)
    optional = _environment(of.type, types.optional_of(of.type))
    return tuple(_rule(each, node, optional if each.get("optionalOldSelf") else plain) for each in documents)


def _environment(own: Type, old: Type) -> Environment:
    return with_variables({SELF: own, OLD_SELF: old})


def _rule(document: Document, node: Node, environment: Environment) -> Rule:
    source = str(document.get("rule") or "")
    if not source.strip():
        return Rule(document, None)
    try:
        program = environment.compile(source)
    except InstantiationError as error:
        return Rule(document, None, str(error))
    except CompileError as error:
        return Rule(document, None, f"compilation failed: {error}")
    if program.result != types.BOOL:
        return Rule(document, None, "cel expression must evaluate to a bool")
    message, message_error = _message(document, environment)
    return Rule(
        document, program, "", message, message_error, OLD_SELF in program.names, str(_field(document, node) or "")
    )


def _message(document: Document, environment: Environment) -> tuple[Program | None, str]:
    source = document.get("messageExpression")
    if not source:
        return None, ""
    try:
        program = environment.compile(source)
    except CelError as error:
        return None, f"messageExpression compilation failed: {error}"
    if program.result != types.STRING:
        return None, "messageExpression must evaluate to a string"
    return program, ""


def _field(document: Mapping[str, Any], node: Node) -> Path | None:
    path = document.get("fieldPath")
    if not path:
        return None
    try:
        return resolve(path, node)
    except FieldPathError:
        return None
