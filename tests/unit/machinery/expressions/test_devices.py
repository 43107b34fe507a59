from __future__ import annotations

from typing import Any

import pytest

from proa.lang.cel.errors import CelError
from proa.machinery.expressions.devices import compile_selector, matches, validate_selector
from proa.machinery.fields import ErrorList, Path

DEVICE = {
    "attributes": {
        "model": {"string": "a"},
        "other.com/cores": {"int": 4},
        "v": {"version": "1.2.3"},
        "on": {"bool": True},
    },
    "capacity": {"memory": {"value": "2Gi"}},
}


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ('device.driver == "x.com" && device.attributes["x.com"].model == "a"', True),
        ('device.attributes["other.com"].cores > 4', False),
        ('device.attributes["x.com"].on', True),
        ('device.capacity["x.com"].memory.compareTo(quantity("1Gi")) > 0', True),
        ('device.attributes["x.com"].v.isGreaterThan(semver("1.2.2"))', True),
        ('has(device.attributes["nowhere.com"].model)', False),
        ('cel.bind(own, device.attributes["x.com"], own.on && own.model == "a")', True),
        ("device.allowMultipleAllocations", False),
    ],
)
def test_a_selector_sees_a_devices_attributes_and_capacity(expression: str, selected: bool) -> None:
    errors = ErrorList()
    validate_selector(expression, Path("cel"), errors)
    assert not errors
    assert matches(compile_selector(expression), "x.com", DEVICE) is selected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("device.nothing", "cel.expression: Invalid value: \"device.nothing\": compilation failed: ERROR: <input>:1:7: "
         "undefined field 'nothing'\n | device.nothing\n | ......^"),
        ("1", 'cel.expression: Invalid value: "1": must evaluate to bool or the unknown type, not int'),
        ('device.attributes["x"].s.matches(device.attributes["y"].s)', None),
        ("device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, true))))",
         "cel.expression: Forbidden: too complex, exceeds cost limit"),
    ],
)  # fmt: skip
def test_a_selector_that_cannot_work_is_refused(expression: str, message: Any) -> None:
    errors = ErrorList()
    validate_selector(expression, Path("cel"), errors)
    assert [str(each) for each in errors] == ([message] if message else [])


def test_a_missing_attribute_is_an_error_and_not_false() -> None:
    with pytest.raises(CelError, match="no such key: nothing"):
        matches(compile_selector('device.attributes["x.com"].nothing == 1'), "x.com", DEVICE)
