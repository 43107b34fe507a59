"""Any rules over any documents are answered with field errors, and never raise."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.machinery.fields import ErrorList, Path
from proa.machinery.rules.checked import check_rules
from proa.machinery.rules.evaluated import Rules
from proa.machinery.structural.tree import node_of

RULES = st.sampled_from(
    [
        "self == oldSelf", "self.all(x, self.all(y, x == y))", "has(self.a)", "self.a == self.b", "self.size() < 3",
        "self[0] > 1", "self.a.startsWith('x')", "type(self) == string", "oldSelf.orValue(self) == self",
        "1 / self > 0",
        "self.map(x, x + x) == self + self", "self.getFullYear() > 2000", "self.exists_one(k, self[k] == 'a')",
        "self.metadata.name == 'n'", "self.?a.orValue('') == ''", "quantity(self).isInteger()", "self in ['a']",
        "self", "(",
    ]
)  # fmt: skip
RULE = st.fixed_dictionaries(
    {"rule": RULES},
    optional={
        "messageExpression": st.sampled_from(["'a' + self", "string(self)", "1", "'a' * "]),
        "fieldPath": st.sampled_from([".a", ".b[0]", ".", "x["]),
        "optionalOldSelf": st.booleans(),
        "reason": st.sampled_from(["FieldValueForbidden", "Wrong"]),
    },
)
SCALAR: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"},
        {"type": "string", "format": "date-time"}, {"type": "string", "format": "duration"},
        {"type": "string", "format": "byte"}, {"x-kubernetes-int-or-string": True},
        {"type": "string", "nullable": True, "maxLength": 3},
    ]
)  # fmt: skip


def _with_rules(schema: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    rules = st.lists(RULE, max_size=2)
    return st.tuples(schema, rules).map(
        lambda each: each[0] | ({"x-kubernetes-validations": each[1]} if each[1] else {})
    )


def _deeper(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    below = _with_rules(inner)
    return st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "c-d", "namespace"]), below, max_size=3).map(
            lambda each: {"type": "object", "properties": each}
        ),
        below.map(lambda each: {"type": "object", "additionalProperties": each}),
        st.tuples(below, st.sampled_from(["atomic", "set"])).map(
            lambda each: {"type": "array", "items": each[0], "x-kubernetes-list-type": each[1]}
        ),
    )


SCHEMA = _with_rules(_deeper(st.recursive(SCALAR, _deeper, max_leaves=4)))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c-d", "namespace"]), each, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=4000)
@given(SCHEMA, VALUE, VALUE | st.none())
def test_no_rule_over_any_document_raises(schema: dict[str, Any], value: Any, old: Any) -> None:
    whole = {"type": "object", "properties": {"spec": schema}}
    root = node_of(whole)
    check_rules(root, Path("schema"), ErrorList())
    stored = None if old is None else {"metadata": {"name": "n"}, "spec": old}
    Rules(root, whole)({"metadata": {"name": "n"}, "spec": value}, stored, ErrorList())
