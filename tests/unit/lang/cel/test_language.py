# ruff: noqa: E501 (tables of expressions)

from __future__ import annotations

from typing import Any

import pytest

from proa.lang.cel.environment import Budget, Environment
from proa.lang.cel.errors import BudgetError, CompileError, EvaluationError
from proa.lang.cel.values import Duration, Timestamp, Uint

DOCUMENT = {"a": 1, "b": ["x", "y"], "m": {"k": "v"}, "f": 1.5, "none": None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3 - -4", 11),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.0 / 2.0", 3.5),
        ("5u - 3u", Uint(2)),
        ("'a' + 'b'", "ab"),
        ("b'a' + b'\\xff'", b"a\xff"),
        ("[1] + [2]", [1, 2]),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("-9223372036854775808", -(1 << 63)),
        ("r'\\d' + '\\u00e9\\n\\101'", "\\dé\nA"),
        ('"""two\nlines"""', "two\nlines"),
        ("x > 0 ? 'p' : 'n'", "p"),
        ("1 < 1.5 && 2u > 1 && 1.0 <= 1u", True),
        ("dyn(1) == dyn(1.0)", True),
        ("dyn(1) == dyn('1')", False),
        ("dyn(true) == dyn(1)", False),
        ("'k' in {'k': 1} && 2 in [1, 2]", True),
        ("self.m['k']", "v"),
        ("self.b[1]", "y"),
        ("has(self.a) && !has(self.q) && !has(self.m.q)", True),
        ("self.none == null", True),
        ("size('häß') + size([1]) + {'a': 1}.size()", 5),
        ("type(1) == int && type('') != int && type(type(1)) == type", True),
        ("self.b.map(v, v + '!')", ["x!", "y!"]),
        ("self.b.map(v, v == 'y', v)", ["y"]),
        ("self.b.filter(v, v != 'x')", ["y"]),
        ("self.b.all(v, v != '') && self.b.exists(v, v == 'y')", True),
        ("self.b.exists_one(v, v == 'y')", True),
        ("self.m.all(k, k == 'k')", True),
        ("[1, 2].all(i, v, v == i + 1)", True),
        ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
        ("{'a': 1}.transformMapEntry(k, v, {v: k})", {1: "a"}),
        ("[5, 6].transformList(i, v, i > 0, v)", [6]),
        ("[1, 2].map(x, [1, 2].map(y, x * y))", [[1, 2], [2, 4]]),
        ("self.?q.orValue('d')", "d"),
        ("self.?a.optMap(v, v + 1).orValue(0)", 2),
        ("self.?m.?k.hasValue()", True),
        ("self.b[?9].or(optional.of('z')).value()", "z"),
        ("[?optional.none(), ?optional.of(1)]", [1]),
        ("{?'a': optional.none(), 'b': 1}", {"b": 1}),
        ("[3, 1, 2].sort() + [3, 1].reverse() + [1, 1].distinct()", [1, 2, 3, 1, 3, 1]),
        ("[3, 1, 2].sortBy(v, -v)", [3, 2, 1]),
        ("[[1], [2]].flatten() + lists.range(2) + [1, 2, 3].slice(1, 2)", [1, 2, 0, 1, 2]),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])", True),
        ("'abc'.matches('^a.c$') && 'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')", True),
        ("'a,b,c'.split(',', 2) + ['x', 'y'].join('-').split('-')", ["a", "b,c", "x", "y"]),
        ("' aB '.trim().lowerAscii() + 'c'.upperAscii() + 'abc'.substring(1, 2) + 'abc'.charAt(0)", "abCba"),
        ("'a-a'.replace('a', 'b', 1) + string('abab'.lastIndexOf('b')) + string('abab'.indexOf('b'))", "b-a31"),
        ("'%s=%d %.2f %x %b %e'.format(['a', 3, 1.5, 255, 5, 1200.0])", "a=3 1.50 ff 101 1.200000×10⁰³"),
        ("'%s'.format([{'b': [1, 'x'], 'a': true}])", '{"a":true, "b":[1, "x"]}'),
        ("int('12') + int(1.9) + int(timestamp('1970-01-01T00:01:00Z'))", 73),
        ("string(1.0) + string(1e30) + string(true) + string(duration('90m'))", "11e+30true5400s"),
        ("timestamp('2024-02-29T12:00:00.5Z') + duration('24h')", Timestamp(1709294400_500000000)),
        ("timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z')", Duration(86400_000000000)),
        ("timestamp('2024-01-07T23:04:05.678Z').getDayOfWeek()", 0),
        ("timestamp('2024-01-07T23:04:05Z').getHours('Europe/Berlin')", 0),
        ("timestamp('2024-01-07T23:04:05Z').getHours('-02:30')", 20),
        ("duration('-1h30m').getMinutes()", -90),
        ("string(timestamp('2024-01-07T23:04:05.120+01:00'))", "2024-01-07T23:04:05.12+01:00"),
    ],
)
def test_an_expression_has_its_value(evaluate: Any, expression: str, expected: Any) -> None:
    found = evaluate(expression, self=DOCUMENT)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("self.q", "no such key: q"),
        ("self.b[5]", "index out of bounds: 5"),
        ("self.a.b", "no such overload"),
        ("self.a + 'x'", "no such overload"),
        ("int(self.m.k)", "type conversion error from 'string' to 'int'"),
        ("optional.none().value()", "optional.none() dereference"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("[1, 2].transformMapEntry(i, v, {'k': v})", "insert failed: key k already exists"),
        ("self.b.all(v, self.q)", "no such key: q"),
        ("'abc'.substring(5)", "index out of range: 5"),
        ("'x'.matches(dyn('['))", "error parsing regexp: missing closing ]: `[`"),
    ],
)
def test_what_has_no_value_says_why(evaluate: Any, expression: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(expression, self=DOCUMENT)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 / 0 == 1 || true", True),
        ("true || 1 / 0 == 1", True),
        ("self.q == 1 && false", False),
        ("[0, 1].exists(v, 1 / v == 1)", True),
        ("[0, 1].all(v, 1 / v == 2)", False),
        ("true ? 1 : 1 / 0", 1),
    ],
)
def test_logic_knows_the_answer_in_spite_of_an_error_on_one_side(evaluate: Any, expression: str, expected: Any) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("foo.bar", "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo.bar\n | ^"),
        ("x + 'a'", "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | x + 'a'\n | ..^"),
        ("x.fake()", "ERROR: <input>:1:7: undeclared reference to 'fake' (in container '')\n | x.fake()\n | ......^"),
        ("x.y", "ERROR: <input>:1:2: type 'int' does not support field selection\n | x.y\n | .^"),
        ("x.size()", "ERROR: <input>:1:7: found no matching overload for 'size' applied to 'int.()'\n | x.size()\n | ......^"),
        ("[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"),
        ("x.map(y, y)", "ERROR: <input>:1:1: expression of type 'int' cannot be range of a comprehension "
         "(must be list, map, or dynamic)\n | x.map(y, y)\n | ^"),
        ("has(x)", "ERROR: <input>:1:5: invalid argument to has() macro\n | has(x)\n | ....^"),
        ("names.all(1, true)", "ERROR: <input>:1:11: argument must be a simple name\n | names.all(1, true)\n | ..........^"),
        ("duration('x') > duration('1s')", "ERROR: <input>:1:10: invalid duration argument\n"
         " | duration('x') > duration('1s')\n | .........^"),
        ("'x'.matches('[')", "ERROR: <input>:1:13: invalid matches argument\n | 'x'.matches('[')\n | ............^"),
        ("for", "ERROR: <input>:1:1: reserved identifier: for\n | for\n | ^"),
        ("x ++ 1", "ERROR: <input>:1:4: Syntax error: mismatched input '+' expecting {'[', '{', '(', '.', '-', '!', 'true', "
         "'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | x ++ 1\n | ...^"),
        ("x == 'ä' || ü", "ERROR: <input>:1:13: Syntax error: token recognition error at: 'ü'\n"
         " | x == 'ä' || ü\n | ......．.....＾"),
        ("1 == 2 ==\n 'a' || zz", "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(bool, string)'\n"
         " | 1 == 2 ==\n | .......^\nERROR: <input>:2:9: undeclared reference to 'zz' (in container '')\n |  'a' || zz\n | ........^"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_as_the_reference_implementation_tells_it(
    environment: Environment, expression: str, message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        environment.compile(expression)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "deep", ["(" * 300 + "1" + ")" * 300, "+".join(["1"] * 400), "!" * 3 + "-" * 3 + "x" + ".a" * 300]
)
def test_an_expression_that_is_too_deep_is_refused(environment: Environment, deep: str) -> None:
    with pytest.raises(CompileError, match=r"expression recursion limit exceeded: 250|Syntax error"):
        environment.compile(deep)


def test_long_chains_of_conditions_are_not_deep(evaluate: Any) -> None:
    assert evaluate(" && ".join(["x == 1"] * 2000)) is True


def test_an_evaluation_beyond_its_limit_stops() -> None:
    environment = Environment({}, limit=500)
    program = environment.compile(
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(a, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(b, a * b > 0))"
    )
    with pytest.raises(BudgetError, match="actual cost limit exceeded"):
        program.evaluate({})


def test_evaluations_share_a_budget(environment: Environment) -> None:
    program, budget = environment.compile("x == 1 && x == 2"), Budget(5)
    assert program.evaluate({"x": 1}, budget) is False
    assert budget.remaining == 1
    with pytest.raises(BudgetError, match="running out of cost budget"):
        program.evaluate({"x": 1}, budget)


@pytest.mark.parametrize(
    "expression",
    [
        "names[0].replace('', names[0])",
        "[names, names].flatten()" + ".map(v, names.join(v)).map(v, names.join(v))" * 2,
        "optional.of(names)" + ".optMap(v, v + v)" * 40,
    ],
)
def test_what_would_become_too_large_is_not_made(evaluate: Any, expression: str) -> None:
    with pytest.raises((BudgetError, CompileError)):
        evaluate(expression, names=["x" * 50_000] * 50)
