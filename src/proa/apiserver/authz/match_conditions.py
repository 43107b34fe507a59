"""Match conditions of authorization webhooks: expressions over a SubjectAccessReview's spec, in CEL.

Imported only where a configuration has some. Not here: reading it (`configuration`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from proa.base.errors import ProaError
from proa.lang.cel.environment import Budget, Environment
from proa.lang.cel.errors import CelError
from proa.lang.cel.types import BOOL, STRING, list_of, map_of, struct
from proa.machinery.expressions.admission import compile_to
from proa.machinery.expressions.environment import MATCH_CONDITIONS_BUDGET, with_variables
from proa.machinery.fields import aggregated

_STRINGS = list_of(STRING)
_REQUIREMENTS = list_of(
    struct("kubernetes.SelectorRequirement", {"key": STRING, "operator": STRING, "values": _STRINGS})
)
_SELECTOR = struct("kubernetes.SelectorAttributes", {"rawSelector": STRING, "requirements": _REQUIREMENTS})
_TEXTS = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_RESOURCE = struct(
    "kubernetes.ResourceAttributes",
    {**dict.fromkeys(_TEXTS, STRING), "fieldSelector": _SELECTOR, "labelSelector": _SELECTOR},
)
_PATH = struct("kubernetes.NonResourceAttributes", {"path": STRING, "verb": STRING})
_REQUEST = struct(
    "kubernetes.SubjectAccessReviewSpec",
    {
        "resourceAttributes": _RESOURCE,
        "nonResourceAttributes": _PATH,
        "user": STRING,
        "groups": _STRINGS,
        "extra": map_of(STRING, _STRINGS),
        "uid": STRING,
    },
)


class ConditionError(ProaError):
    """It cannot be said whether the conditions hold."""


@cache
def _environment() -> Environment:
    return with_variables({"request": _REQUEST})


class MatchConditions:
    """All must hold. Raises CelError for an expression that is none."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._programs = [compile_to(_environment(), each, BOOL) for each in sources]

    def hold(self, spec: Mapping[str, Any]) -> bool:
        """One that does not hold is enough, whatever goes wrong with others. Raises ConditionError."""
        budget, errors = Budget(MATCH_CONDITIONS_BUDGET), []
        request = _completed(spec)
        for program in self._programs:
            try:
                if program.evaluate({"request": request}, budget) is not True:
                    return False
            except CelError as error:
                errors.append(f"cel evaluation error: expression '{program.source}' resulted in error: {error}")
        if errors:
            raise ConditionError(aggregated(errors))
        return True


def _completed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with every text in it, empty where it says nothing."""
    request: dict[str, Any] = {"user": "", "uid": "", "groups": [], "extra": {}, **spec}
    if "resourceAttributes" in request:
        request["resourceAttributes"] = {**dict.fromkeys(_TEXTS, ""), **request["resourceAttributes"]}
    return request
