# ruff: noqa: E501 (tables of rules)

from __future__ import annotations

from typing import Any

import pytest

from proa.machinery.fields import ErrorList, Path
from proa.machinery.rules.checked import check_rules
from proa.machinery.rules.evaluated import Rules
from proa.machinery.structural.tree import node_of

INTEGER, STRING, NUMBER = {"type": "integer"}, {"type": "string"}, {"type": "number"}


def spec(properties: dict[str, Any], *rules: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": properties, "x-kubernetes-validations": _rules(rules), **more}
        },
    }


def _rules(rules: Any) -> list[Any]:
    return [{"rule": each} if isinstance(each, str) else each for each in rules]


def errors_of(schema: dict[str, Any], value: Any, old: Any = None) -> list[str]:
    return [str(each) for each in evaluated(schema, value, old)]


def tolerated(schema: dict[str, Any], value: Any, old: Any) -> list[str]:
    errors = evaluated(schema, value, old)
    assert not errors
    return [str(each) for each in errors.tolerated]


def evaluated(schema: dict[str, Any], value: Any, old: Any) -> ErrorList:
    errors = ErrorList()
    root = node_of(schema)
    document = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": value}
    stored = None if old is None else {**document, "spec": old}
    Rules(root, schema)(document, stored, errors)
    return errors


def problems_of(schema: dict[str, Any]) -> list[str]:
    errors = ErrorList()
    check_rules(node_of(schema), Path("schema"), errors)
    return [str(each) for each in errors]


@pytest.mark.parametrize(
    ("properties", "value", "rule"),
    [
        ({"a": INTEGER, "b": INTEGER}, {"a": 1, "b": 2}, "self.a < self.b"),
        ({"a": INTEGER}, {}, "!has(self.a)"),
        ({"a": NUMBER}, {"a": 3}, "self.a == 3.0 && type(self.a) == double"),
        ({"a": {"type": "string", "format": "date-time"}}, {"a": "2024-01-02T03:04:05Z"}, "self.a.getFullYear() == 2024"),
        ({"a": {"type": "string", "format": "date"}}, {"a": "2024-01-02"}, "self.a == timestamp('2024-01-02T00:00:00Z')"),
        ({"a": {"type": "string", "format": "duration"}}, {"a": "1h"}, "self.a == duration('60m')"),
        ({"a": {"type": "string", "format": "byte"}}, {"a": "YWI="}, "self.a == b'ab' && self.a.size() == 2"),
        ({"a": {"x-kubernetes-int-or-string": True}}, {"a": "5%"}, "type(self.a) == string ? self.a == '5%' : self.a == 5"),
        ({"a.b/c-d__e": INTEGER, "namespace": STRING}, {"a.b/c-d__e": 1, "namespace": "x"}, "self.a__dot__b__slash__c__dash__d__underscores__e == 1 && self.__namespace__ == 'x'"),
        ({"a": {"type": "string", "nullable": True}}, {"a": None}, "!has(self.a)"),
        ({"m": {"type": "object", "additionalProperties": STRING}}, {"m": {"k.1": "v"}}, "self.m['k.1'] == 'v' && self.m.all(k, k.startsWith('k'))"),
        ({"l": {"type": "array", "items": {"type": "array", "items": INTEGER}}}, {"l": [[1], [2, 3]]}, "self.l.map(x, x.sum()) == [1, 5]"),
        ({"s": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}}, {"s": ["a", "b"]}, "self.s == ['b', 'a'] && (self.s + ['a', 'c']).size() == 3"),
        (
            {"m": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                   "items": {"type": "object", "properties": {"k": STRING, "v": INTEGER}}}},
            {"m": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]},
            "self.m.exists(e, e.k == 'b' && e.v == 2) && self.m == self.m.map(e, e) && (self.m + self.m).size() == 2",
        ),
        ({"e": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}},
         {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}}, "self.e.kind == 'Pod' && self.e.metadata.name == 'p'"),
        ({"q": STRING}, {"q": "1Gi"}, "quantity(self.q).isGreaterThan(quantity('1G'))"),
    ],
)  # fmt: skip
def test_a_rule_sees_values_as_the_schema_means_them(properties: Any, value: Any, rule: str) -> None:
    schema = spec(properties, rule, f"!({rule})")
    assert errors_of(schema, value) == [f"spec: Invalid value: failed rule: !({rule})"]


def test_rules_at_the_root_see_the_names_of_the_object() -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a": STRING}}},
        "x-kubernetes-validations": [
            {"rule": "self.metadata.name == self.spec.a", "messageExpression": "'not ' + self.spec.a"},
            {"rule": "self.kind == 'K' && self.apiVersion == 'g/v1'"},
        ],
    }
    assert errors_of(schema, {"a": "n"}) == []
    assert errors_of(schema, {"a": "x"}) == ["<nil>: Invalid value: not x"]
    assert problems_of(schema) == []


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"rule": "self.a > 5"}, "spec: Invalid value: failed rule: self.a > 5"),
        ({"rule": "self.a > 5", "message": " too small "}, "spec: Invalid value: too small"),
        ({"rule": "self.a > 5", "messageExpression": "'%d is small'.format([self.a])"}, "spec: Invalid value: 1 is small"),
        ({"rule": "self.a > 5", "messageExpression": "''", "message": "m"}, "spec: Invalid value: m"),
        ({"rule": "self.a > 5", "messageExpression": "string(1 / (self.a - 1))", "message": "m"}, "spec: Invalid value: m"),
        ({"rule": "self.a > 5", "messageExpression": "'a\\nb'"}, "spec: Invalid value: failed rule: self.a > 5"),
        ({"rule": "self.a > 5", "fieldPath": ".a"}, "spec.a: Invalid value: failed rule: self.a > 5"),
        ({"rule": "self.a > 5", "reason": "FieldValueForbidden", "fieldPath": ".a"}, "spec.a: Forbidden: failed rule: self.a > 5"),
        ({"rule": "self.a > 5", "reason": "FieldValueRequired"}, "spec: Required value: failed rule: self.a > 5"),
        ({"rule": "self.a > 5", "reason": "FieldValueDuplicate"}, "spec: Duplicate value"),
        ({"rule": "self.a / 0 == 1"}, 'spec: Invalid value: "object": division by zero evaluating rule: self.a / 0 == 1'),
        ({"rule": "self.b == ''"}, "spec: Invalid value: \"object\": no such key: b evaluating rule: self.b == ''"),
        ({"rule": "self.i + 1 > 0"}, "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self.i + 1 > 0"),
        ({"rule": "self.zz"}, "spec: Invalid value: \"object\": rule compile error: compilation failed: ERROR: <input>:1:5: undefined field 'zz'\n | self.zz\n | ....^"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_hold_is_told(rule: Any, error: str) -> None:
    schema = spec({"a": INTEGER, "b": STRING, "i": {"x-kubernetes-int-or-string": True}}, rule)
    assert errors_of(schema, {"a": 1, "i": "x"}) == [error]


def test_rules_of_scalars_elements_and_map_values_are_told_with_their_place() -> None:
    small = {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 5"}]}
    schema = spec(
        {"a": small, "l": {"type": "array", "items": small}, "m": {"type": "object", "additionalProperties": small}}
    )
    assert errors_of(schema, {"a": 7, "l": [1, 8], "m": {"x": 9}}) == [
        "spec.a: Invalid value: 7: failed rule: self < 5",
        "spec.l[1]: Invalid value: 8: failed rule: self < 5",
        "spec.m[x]: Invalid value: 9: failed rule: self < 5",
    ]


def test_rules_below_all_of_are_asked_too() -> None:
    schema = spec({"a": INTEGER}, allOf=[{"properties": {"a": {"x-kubernetes-validations": [{"rule": "self > 3"}]}}}])
    assert errors_of(schema, {"a": 1}) == ["spec.a: Invalid value: 1: failed rule: self > 3"]


def test_transition_rules_are_asked_when_there_is_an_old_value() -> None:
    schema = spec(
        {"a": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}},
        {"rule": "has(self.a) == has(oldSelf.a)", "message": "a stays"},
    )
    assert errors_of(schema, {"a": 1}) == []
    assert errors_of(schema, {"a": 1}, {"a": 2}) == ["spec.a: Invalid value: 1: failed rule: self >= oldSelf"]
    assert errors_of(schema, {"a": 1}, {}) == ["spec: Invalid value: a stays"]
    assert problems_of(schema) == []


def test_an_optional_old_value_may_be_absent() -> None:
    rule = {"rule": "oldSelf.hasValue() ? self == oldSelf.value() : self < 5", "optionalOldSelf": True}
    schema = spec({"a": {"type": "integer", "x-kubernetes-validations": [rule]}})
    assert problems_of(schema) == []
    assert errors_of(schema, {"a": 3}) == []
    assert len(errors_of(schema, {"a": 7})) == 1
    assert errors_of(schema, {"a": 7}, {"a": 7}) == []
    assert len(errors_of(schema, {"a": 7}, {"a": 8})) == 1


def test_elements_of_keyed_lists_find_their_old_values() -> None:
    element = {
        "type": "object",
        "properties": {"k": STRING, "v": INTEGER},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}],
    }
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": element}
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 5}]}
    assert errors_of(spec({"l": keyed}), {"l": [{"k": "b", "v": 4}, {"k": "c", "v": 0}]}, old) == [
        "spec.l[0]: Invalid value: failed rule: self.v >= oldSelf.v"
    ]
    assert errors_of(spec({"l": {"type": "array", "items": element}}), {"l": [{"k": "a", "v": 0}]}, old) == []


def test_what_has_not_changed_may_stay_against_a_new_rule() -> None:
    schema = spec({"a": {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 5"}]}, "b": INTEGER})
    assert tolerated(schema, {"a": 7, "b": 2}, {"a": 7, "b": 1}) == ["spec.a: Invalid value: 7: failed rule: self < 5"]
    assert tolerated(schema, {"a": 4, "b": 2}, {"a": 7, "b": 1}) == []
    assert len(errors_of(schema, {"a": 8, "b": 2}, {"a": 7, "b": 1})) == 1
    transition = spec({"a": {"type": "integer", "x-kubernetes-validations": [{"rule": "self != oldSelf"}]}})
    assert len(errors_of(transition, {"a": 7}, {"a": 7})) == 1


def test_unchanged_elements_stay_where_lists_are_keyed_or_whole() -> None:
    bad = {
        "type": "object",
        "properties": {"k": STRING, "v": INTEGER},
        "x-kubernetes-validations": [{"rule": "self.v < 5"}],
    }
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": bad}
    atomic = {"type": "array", "items": bad}
    old = [{"k": "a", "v": 7}, {"k": "b", "v": 1}]
    changed = [{"k": "b", "v": 2}, {"k": "a", "v": 7}]
    assert errors_of(spec({"l": keyed}), {"l": changed}, {"l": old}) == []
    assert errors_of(spec({"l": atomic}), {"l": old, "x": 1}, {"l": old}) == []
    assert len(errors_of(spec({"l": atomic}), {"l": changed}, {"l": old})) == 1


def test_the_rules_of_an_object_share_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proa.machinery.rules.evaluated.BUDGET", 50_000)
    schema = spec({"l": {"type": "array", "items": STRING}}, *["self.l.all(x, self.l.all(y, x + y != 'zz'))"] * 12)
    errors = errors_of(schema, {"l": ["x"] * 30})
    assert len(errors) == 1
    assert "no further validation rules will be run" in errors[0]


def test_a_single_rule_has_a_limit() -> None:
    rule = "self.l.all(x, self.l.all(y, self.l.all(z, x + y + z != 'zz')))"
    errors = errors_of(spec({"l": {"type": "array", "items": STRING}}, rule, "false"), {"l": ["x"] * 300})
    assert errors == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation rules "
        f"will be run due to call cost exceeds limit for rule: {rule}"
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"rule": " "}, ".rule: Required value: rule is not specified"),
        ({"rule": "true", "message": " "}, '.message: Invalid value: " ": must be non-empty if specified'),
        ({"rule": "true", "message": "a\nb"}, '.message: Invalid value: "a\\nb": must not contain line breaks'),
        ({"rule": "true ||\n false"}, ".message: Required value: message must be specified if rule contains line breaks"),
        ({"rule": "true", "fieldPath": ".nothing"}, '.fieldPath: Invalid value: ".nothing": must be a valid path'),
        ({"rule": "true", "reason": "Whim"}, '.reason: Unsupported value: "Whim": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'),
        ({"rule": "self.a"}, '.rule: Invalid value: {"rule":"self.a"}: cel expression must evaluate to a bool'),
        ({"rule": "true", "messageExpression": "1"}, '.messageExpression: Invalid value: {"rule":"true","messageExpression":"1"}: messageExpression must evaluate to a string'),
        ({"rule": "true", "optionalOldSelf": True}, ".optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"),
        ({"rule": "self.nope"}, ".rule: Invalid value: {\"rule\":\"self.nope\"}: compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope\n | ....^"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_when_it_is_written(rule: Any, problem: str) -> None:
    assert problems_of(spec({"a": INTEGER}, rule)) == [f"schema.properties[spec].x-kubernetes-validations[0]{problem}"]


def test_old_values_of_list_elements_are_only_there_for_keyed_lists() -> None:
    items = {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    assert problems_of(spec({"l": {"type": "array", "maxItems": 5, "items": items}})) == [
        'schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": '
        "oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[spec].properties[l]"
    ]


ADVICE = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"


@pytest.mark.parametrize(
    ("properties", "rule", "factor"),
    [
        (
            {"l": {"type": "array", "items": {"type": "array", "items": STRING}}},
            "self.l.all(x, x.all(y, y == 'abc'))",
            "more than 100x",
        ),
        ({"l": {"type": "array", "items": STRING}}, "self.l.all(x, x.contains('a'))", "more than 100x"),
        ({"s": STRING}, "self.s.matches('^[a-z]+$')", None),
        (
            {"l": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 20}}},
            "self.l.all(x, x.contains('a'))",
            None,
        ),
        ({"l": {"type": "array", "items": INTEGER}}, "self.l.all(x, x > 1)", None),
    ],
)
def test_rules_that_may_cost_too_much_are_refused_with_advice(properties: Any, rule: str, factor: str | None) -> None:
    at = "schema.properties[spec].x-kubernetes-validations[0].rule"
    found = [each for each in problems_of(spec(properties, rule)) if each.startswith(at) and "contributed" not in each]
    assert found == (
        [f"{at}: Forbidden: estimated rule cost exceeds budget by factor of {factor} {ADVICE}"] if factor else []
    )


def test_rules_of_elements_cost_as_often_as_there_can_be_elements() -> None:
    def schema(**limit: Any) -> dict[str, Any]:
        items = {"type": "string", "maxLength": 1000, "x-kubernetes-validations": [{"rule": "self.contains('a')"}]}
        return spec({"l": {"type": "array", "items": items, **limit}})

    (first, *rest) = problems_of(schema())
    assert first.startswith(
        "schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget"
    )
    assert [each.partition(": ")[0] for each in rest] == [
        "schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule",
        "schema",
    ]
    assert "contributed to estimated rule cost total" in rest[0]
    assert "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget" in rest[1]
    assert problems_of(schema(maxItems=100)) == []


@pytest.mark.parametrize(
    ("schema", "value", "old", "error"),
    [
        (
            {"type": "string", "format": "date-time"},
            "2024-01-02T03:04:05Z",
            "never",
            "Invalid date-time formatted string never evaluating rule: self == oldSelf",
        ),
        (
            {"type": "object", "properties": {"x-y": INTEGER}},
            {"x-y": 1},
            "text",
            "invalid data, expected a map for the provided schema with type=object evaluating rule: self == oldSelf",
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
            ["a"],
            1,
            "invalid data, expected an array for the provided schema with type=array evaluating rule: self == oldSelf",
        ),
    ],
)
def test_a_stored_value_that_is_older_than_its_schema_fails_the_rule(
    schema: dict[str, Any], value: Any, old: Any, error: str
) -> None:
    found = errors_of(
        spec({"a": schema | {"x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}), {"a": value}, {"a": old}
    )
    assert len(found) == 1
    assert error in found[0]
