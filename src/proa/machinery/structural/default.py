"""Defaults of a schema, as functions that visit only what has a default below it.

A default is filled in for a field that is absent, or null where the schema allows no null, while its parent is there.
Not here: nulls without a default (`prune`).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from proa.machinery.declare import UNSET
from proa.machinery.structural.tree import Node

Fill = Callable[[Any], None]


def defaulter(node: Node) -> Fill | None:
    """What fills a value of this schema in, in place; None when there is nothing to fill."""
    named: list[tuple[str, Callable[[], Any] | None, bool, Fill | None]] = []
    for name, below in node.properties.items():
        fill = defaulter(below)
        make = None if below.default is UNSET else _maker(below.default)
        if fill is not None or make is not None:
            named.append((name, make, below.nullable, fill))
    other = _values(node.additional) if isinstance(node.additional, Node) else None
    items = _values(node.items) if node.items is not None else None
    if not named and other is None and items is None:
        return None
    known = frozenset(node.properties)

    def run(value: Any) -> None:
        if isinstance(value, dict):
            for name, make, nullable, fill in named:
                found = value.get(name)
                if found is None and make is not None and not (nullable and name in value):
                    found = value[name] = make()
                if fill is not None and found is not None:
                    fill(found)
            if other is not None:
                for name in value:
                    if name not in known:
                        other(value, name)
        elif items is not None and isinstance(value, list):
            for position in range(len(value)):
                items(value, position)

    return run


def _values(node: Node) -> Callable[[Any, Any], None] | None:
    """What fills in one element of a map or list."""
    fill = defaulter(node)
    make = None if node.default is UNSET or node.nullable else _maker(node.default)
    if fill is None and make is None:
        return None

    def run(holder: Any, at: Any) -> None:
        found = holder[at]
        if found is None and make is not None:
            found = holder[at] = make()
        if fill is not None and found is not None:
            fill(found)

    return run


def _maker(default: Any) -> Callable[[], Any]:
    return (lambda: deepcopy(default)) if isinstance(default, dict | list) else (lambda: default)
