"""Any text compiles or is refused, any program evaluates or says why not; nothing else is raised and nothing hangs."""

# ruff: noqa: E501 (tables of expressions)

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.lang.cel import types
from proa.lang.cel.environment import Environment
from proa.lang.cel.errors import CelError
from proa.lang.cel.extensions.lists import LISTS_LIBRARY
from proa.lang.cel.extensions.sets import SETS
from proa.lang.cel.extensions.strings import STRINGS

ENVIRONMENT = Environment({"self": types.DYN, "x": types.INT}, (STRINGS, LISTS_LIBRARY, SETS), limit=100_000)
WORDS = [
    "self", "x", "v", "1", "-1", "2u", "1.5", "1e400", "'a'", "b'\\xff'", "\"\"\"q\"\"\"", "true", "null", "+", "-", "*", "/", "%", "==", "!=",
    "<", ">=", "in", "&&", "||", "!", "?", ":", "(", ")", "[", "]", "{", "}", ",", ".", ".?", "[?", "has(", ".all(v,", ".map(v,",
    ".filter(v,", ".exists(v, v,", ".optMap(v,", ".size()", ".split(", ".format(", "duration(", "timestamp(", "string(", "int(",
    "dyn(", "type(", "optional.of(", ".sortBy(v,", ".flatten(", "lists.range(", ".replace(", ".matches(", "`a-b`", "\n", "//c\n", "'",
    '"', "\\", "\x00", "é", "9223372036854775808", "for",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
LEAVES = st.sampled_from(
    ["self", "self.a", "self[0]", "x", "1", "0", "2u", "1.5", "'a'", "''", "true", "null", "[]", "{}", "b'a'"]
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "&&", "||", "in"])
    member = st.sampled_from(["all", "exists", "map", "filter", "exists_one", "optMap", "sortBy"])
    call = st.sampled_from(
        ["size", "string", "int", "uint", "double", "dyn", "type", "bool", "bytes", "timestamp", "duration"]
    )
    method = st.sampled_from(
        ["size", "reverse", "sort", "distinct", "flatten", "trim", "join", "first", "value", "getHours"]
    )
    return st.one_of(
        st.tuples(inner, binary, inner).map(lambda each: f"({each[0]} {each[1]} {each[2]})"),
        st.tuples(inner, member, inner).map(lambda each: f"dyn({each[0]}).{each[1]}(v, {each[2]})"),
        st.tuples(call, inner).map(lambda each: f"{each[0]}(dyn({each[1]}))"),
        st.tuples(inner, method).map(lambda each: f"dyn({each[0]}).{each[1]}()"),
        st.tuples(inner, inner, inner).map(lambda each: f"(dyn({each[0]}) ? dyn({each[1]}) : dyn({each[2]}))"),
        st.tuples(inner, inner).map(lambda each: f"dyn({each[0]})[{each[1]}]"),
        st.tuples(inner, inner).map(lambda each: f"{{{each[0]}: {each[1]}}}"),
        st.tuples(inner, inner).map(lambda each: f"'%s %d'.format([{each[0]}, {each[1]}])"),
    )


def _run(source: str, document: Any) -> None:
    with contextlib.suppress(CelError):
        program = ENVIRONMENT.compile(source)
        program.cost_of()
        program.evaluate({"self": document, "x": 3})


@settings(max_examples=300, deadline=2000)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join), JSON)
def test_no_sequence_of_words_breaks_it(source: str, document: Any) -> None:
    _run(source, document)


@settings(max_examples=200, deadline=2000)
@given(st.text(max_size=40), JSON)
def test_no_text_breaks_it(source: str, document: Any) -> None:
    _run(source, document)


@settings(max_examples=400, deadline=2000)
@given(st.recursive(LEAVES, _grow, max_leaves=10), JSON)
def test_no_expression_breaks_it(source: str, document: Any) -> None:
    _run(source, document)
