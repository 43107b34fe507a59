"""Short ways to compile and evaluate in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proa.lang.cel import types
from proa.lang.cel.environment import Environment
from proa.lang.cel.extensions.lists import LISTS_LIBRARY
from proa.lang.cel.extensions.sets import SETS
from proa.lang.cel.extensions.strings import STRINGS


@pytest.fixture(scope="session")
def environment() -> Environment:
    variables = {"self": types.DYN, "x": types.INT, "names": types.list_of(types.STRING)}
    return Environment(variables, (STRINGS, LISTS_LIBRARY, SETS))


@pytest.fixture(scope="session")
def evaluate(environment: Environment) -> Callable[..., Any]:
    def evaluated(expression: str, **variables: Any) -> Any:
        return environment.compile(expression).evaluate({"x": 1, "names": [], "self": {}, **variables})

    return evaluated
