"""Patterns of schemas are RE2: linear in time, so that no pattern is a weapon. The library loads when first needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

# Answers kept for each pattern, and up to which length of text.
_REMEMBERED, _SHORT = 256, 128


@lru_cache(maxsize=4096)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found anywhere in a text. Raises ValueError for a malformed one."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(_text(error)) from None
    # A set of one, because its match is one call of the library and makes no match object.
    only = re2.Set.SearchSet(options)
    only.Add(pattern)
    only.Compile()
    match = only.Match

    # An update asks again about every text of its object, and objects that are alike have many in common.
    @lru_cache(maxsize=_REMEMBERED)
    def remembered(text: str) -> bool:
        return match(text) is not None

    def search(text: str) -> bool:
        return remembered(text) if len(text) <= _SHORT else match(text) is not None

    return search


def problem(pattern: str) -> str:
    """What is wrong with a pattern, '' when nothing is."""
    try:
        searcher(pattern)
    except ValueError as error:
        return str(error)
    return ""


def _text(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    said = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return f"error parsing regexp: {said}"
