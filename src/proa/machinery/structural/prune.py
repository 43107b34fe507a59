"""Taking out of a document what its schema does not know, and nulls that mean nothing.

Fields below a schema that preserves unknown ones stay, until a schema below names properties again. Not here: what an
object's and an embedded object's metadata may hold (`metadata`).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from proa.machinery.declare import UNSET
from proa.machinery.fields import ROOT, Path
from proa.machinery.structural.tree import Node

META = ("apiVersion", "kind", "metadata")


def prune(document: dict[str, Any], node: Node) -> list[str]:
    """Removes unknown fields of a whole object, in place; returns their paths, sorted."""
    unknown: list[Path] = []
    (_skip if node.preserve else _prune)(document, node, ROOT, unknown, embedded=True)
    return sorted(map(str, unknown))


def prune_value(value: Any, node: Node) -> None:
    """Removes unknown fields of any value, in place."""
    _prune(value, node, ROOT, [])


def prune_nulls(value: Any, node: Node | None, *, besides: Container[str] = ()) -> None:
    """Removes nulls where the schema allows none and has no default for them. besides: fields to leave alone."""
    if isinstance(value, dict):
        for name in [*value]:
            below = node.child(name) if node is not None else None
            if name in besides:
                continue
            if value[name] is None:
                if below is not None and not below.nullable and below.default is UNSET:
                    del value[name]
            else:
                prune_nulls(value[name], below)
    elif isinstance(value, list):
        for each in value:
            prune_nulls(each, node.items if node is not None else None)


def _prune(value: Any, node: Node | None, path: Path, unknown: list[Path], *, embedded: bool = False) -> None:
    if node is not None and node.preserve:
        _skip(value, node, path, unknown, embedded=embedded)
    elif isinstance(value, dict):
        embedded = embedded or (node is not None and node.embedded)
        for name in [*value]:
            if embedded and name in META:
                continue
            below = node.properties.get(name) if node is not None else None
            if below is not None:
                _prune(value[name], below, path.child(name), unknown)
            elif node is not None and node.additional is not None and node.additional is not False:
                inner = node.additional if isinstance(node.additional, Node) else None
                _prune(value[name], inner, path.child(name), unknown)
            else:
                del value[name]
                unknown.append(path.child(name))
    elif isinstance(value, list):
        for position, each in enumerate(value):
            _prune(each, node.items if node is not None else None, path.index(position), unknown)


def _skip(value: Any, node: Node | None, path: Path, unknown: list[Path], *, embedded: bool = False) -> None:
    if node is None:
        return
    if isinstance(value, dict):
        embedded = embedded or node.embedded
        for name, each in value.items():
            below = node.properties.get(name)
            if embedded and name in META:
                continue
            if below is not None:
                _prune(each, below, path.child(name), unknown)
            elif node.additional is not None and node.additional is not False:
                inner = node.additional if isinstance(node.additional, Node) else None
                _prune(each, inner, path.child(name), unknown)
    elif isinstance(value, list):
        for position, each in enumerate(value):
            _skip(each, node.items, path.index(position), unknown)
