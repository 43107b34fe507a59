"""Names of properties as identifiers of the expression language, which has fewer characters and words of its own."""

from __future__ import annotations

import re
from functools import lru_cache

_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
_ESCAPED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPABLE = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*")
_ESCAPES = re.compile(r"__|[-./]")


def is_reserved(name: str) -> bool:
    """Whether the name is a word of the language, which may stand behind a dot as it is."""
    return name in _RESERVED


@lru_cache(maxsize=4096)
def escape(name: str) -> str | None:
    """The identifier for a property; None when it can have none."""
    if name in _RESERVED:
        return f"__{name}__"
    if not _ESCAPABLE.fullmatch(name):
        return None
    return _ESCAPES.sub(lambda match: _ESCAPED[match.group()], name)
