"""The `fieldPath` of a rule: `.spec.field`, `['a.b'].c`; it must lead to something in the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proa.base.errors import ProaError
from proa.machinery.fields import ROOT, Path
from proa.machinery.structural.tree import Node

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class FieldPathError(ProaError):
    """The path is not well formed, or the schema has nothing there."""


def resolve(text: str, node: Node) -> Path:
    """The path of fields. Raises FieldPathError."""
    tokens = iter(_TOKEN.findall(text))
    path = ROOT
    for token in tokens:
        if token == ".":
            name = _following(tokens)
        elif token == "[":
            name = _quoted(_following(tokens))
            closing = _following(tokens)
            if closing != "]":
                raise FieldPathError(f"expected ] but got {closing}")
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        path, node = _below(path, node, name)
    return path


def _following(tokens: Iterator[str]) -> str:
    found = next(tokens, None)
    if found is None:
        raise FieldPathError("unexpected end of JSON path")
    return found


def _quoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {token}")
    return re.sub(r"\\.", _unescaped, token[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    found = _ESCAPES.get(match.group()[1])
    if found is None:
        raise FieldPathError(f"invalid string literal: invalid escape char {match.group()}")
    return found


def _below(path: Path, node: Node, name: str) -> tuple[Path, Node]:
    if node.properties:
        if name not in node.properties:
            raise FieldPathError("does not refer to a valid field")
        return path.child(name), node.properties[name]
    if isinstance(node.additional, Node):
        return path.key(name), node.additional
    raise FieldPathError("does not refer to a valid field")
