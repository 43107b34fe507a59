"""Whether the defaults of a schema keep its rules. Pure.

A default may become a new value as well as replace the same one, so that it is asked about as both. Not here: whether
it has the declared shape (`machinery.structural.check`), and the rules themselves (`checked`).
"""

from __future__ import annotations

from collections.abc import Iterator

from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, Path
from proa.machinery.rules.compiled import compiled
from proa.machinery.rules.evaluated import Walk
from proa.machinery.structural.tree import Node


def check_defaults(root: Node, path: Path, errors: ErrorList) -> None:
    """Adds the rules that defaults break. The schema, its rules and the shape of its defaults are good. path: of it."""
    kept, new = Walk(errors), Walk(errors)
    for node, at in _defaulted(root, path):
        rules = compiled(node, root=node is root or node.embedded)
        if rules is None:
            continue
        before = len(errors)
        kept.visit(rules, node.default, node.default, at, None, None)
        if len(errors) == before:
            new.visit(rules, node.default, None, at, None, None)


def _defaulted(node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
    if node.default is not UNSET and node.default is not None:
        yield node, path.child("default")
    if node.items is not None:
        yield from _defaulted(node.items, path.child("items"))
    for name, below in node.properties.items():
        yield from _defaulted(below, path.child("properties").key(name))
