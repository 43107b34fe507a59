"""Regular expressions with Go's syntax, in time linear to the text: RE2, loaded when the first one is needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from proa.lang.cel.errors import EvaluationError

_WORDS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
}


class Pattern(Protocol):
    """What is used of a compiled pattern."""

    def search(self, text: str, /) -> Any: ...

    def finditer(self, text: str, /) -> Any: ...


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Pattern:
    """Raises EvaluationError for what is no pattern."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        found: Pattern = re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        raise EvaluationError(f"error parsing regexp: {_worded(reason)}") from None
    return found


def _worded(reason: str) -> str:
    """RE2's reason in the words of Go's package."""
    what, colon, where = reason.partition(": ")
    return f"{_WORDS.get(what, what)}: `{where}`" if colon else _WORDS.get(what, what)


def is_valid(pattern: str) -> bool:
    try:
        compiled(pattern)
    except EvaluationError:
        return False
    return True


def matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def find(text: str, pattern: str) -> str:
    """The first match, '' without one."""
    found = compiled(pattern).search(text)
    return str(found.group()) if found is not None else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """The matches from left to right, at most `limit` unless that is negative."""
    found: list[str] = []
    if limit == 0:
        return found
    for each in compiled(pattern).finditer(text):
        found.append(str(each.group()))
        if len(found) == limit:
            break
    return found
