"""What expressions cost, before and when they run, is what the reference implementation counts."""

from __future__ import annotations

from typing import Any

import pytest

from proa.lang.cel import types
from proa.lang.cel.environment import Budget, Environment
from proa.lang.cel.errors import BudgetError, InstantiationError
from proa.lang.cel.extensions.optionals import OPTIONALS

OBJECT = {"val": {"a": 1, "b": 2, "c": 3}, "l": [1, 2, 3, 4, 5], "s": "Pending", "o": {}}
SELF = types.struct(
    "self",
    {
        "val": types.map_of(types.STRING, types.INT),
        "l": types.list_of(types.INT),
        "s": types.STRING,
        "o": types.map_of(types.STRING, types.STRING),
    },
)
ENVIRONMENT = Environment({"self": SELF}, (OPTIONALS,))


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        # What is known before is free: literals, types, conversions of literals, membership in a list of them.
        ("type(self.s) == string", 4),
        ("double(5) < 10.0", 1),
        ("self.s in ['Pending', 'Available']", 2),
        ("duration('1h2m') == duration('1h') + duration('2m')", 2),
        # An index and the choices of a conditional are paths: the names they begin with are not counted.
        ("self.val.all(k, self.val[k] > 0)", 24),
        ("self.l.exists_one(e, e > 4)", 16),
        ("size(self.l.filter(e, e % 2 == 0)) == 3", 46),
        # An optional that is absent costs nothing, nor does its alternative where it is there.
        ("optional.of('a').or(optional.of('a')).hasValue()", 2),
        ("optional.none().or(optional.of('a')).hasValue()", 3),
        ("optional.of('a').optMap(v, v == 'value').hasValue()", 8),
        ("self.o.?absent == optional.none()", 4),
        ("self.o.?absent.orValue('v') == 'a'", 3),
    ],
)
def test_an_evaluation_costs_what_it_costs_upstream(expression: str, cost: int) -> None:
    budget = Budget(1000)
    ENVIRONMENT.compile(expression).evaluate({"self": OBJECT}, budget)
    assert 1000 - budget.remaining == cost


@pytest.mark.parametrize(
    ("expression", "low", "high"),
    [
        ("optional.of('a').or(optional.of('a')).hasValue()", 4, 4),
        ("optional.of('a').optMap(v, v == 'value').hasValue()", 4, 18),
        ("optional.of('a') != optional.of('b')", 3, 1844674407370955266),
        ("self.s in ['Pending', 'Available']", 14, 14),
    ],
)
def test_an_estimate_is_what_it_is_upstream(expression: str, low: int, high: int) -> None:
    assert tuple(ENVIRONMENT.compile(expression).cost_of()) == (low, high)


def test_a_conversion_of_a_literal_that_has_no_value_is_refused_before_it_runs() -> None:
    with pytest.raises(InstantiationError, match="program instantiation failed: type conversion error"):
        ENVIRONMENT.compile("self.s == 'a' || int('x') == 1")


def test_an_alternative_is_not_asked_where_there_is_a_value() -> None:
    program = ENVIRONMENT.compile("optional.of(1).orValue(1 / (self.l[0] - 1))")
    assert program.evaluate({"self": OBJECT}, Budget(100)) == 1


def test_no_evaluation_goes_beyond_its_budget() -> None:
    budget: Any = Budget(20)
    with pytest.raises(BudgetError):
        ENVIRONMENT.compile("self.l.all(e, self.l.all(f, e + f > 0))").evaluate({"self": OBJECT}, budget)
