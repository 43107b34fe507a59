"""Match conditions: expressions that must all be true for a webhook or a policy to be asked about a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from proa.apiserver.admission import Attributes
from proa.apiserver.expressions.decisions import Decisions
from proa.apiserver.expressions.variables import variables_of
from proa.apiserver.identity import Authorizer
from proa.lang.cel.environment import Budget, Program
from proa.lang.cel.errors import BudgetError, CelError
from proa.lang.cel.types import BOOL
from proa.machinery.expressions.admission import admission_environment, compile_to
from proa.machinery.expressions.conditions import validate_match_conditions
from proa.machinery.expressions.environment import MATCH_CONDITIONS_BUDGET
from proa.machinery.fields import aggregated

__all__ = ["Match", "MatchConditions", "validate_match_conditions"]


class Match(NamedTuple):
    """error: why it could not be said; what that means is the failure policy's business."""

    matches: bool
    error: str | None = None


class MatchConditions:
    """The conditions of one webhook or policy, compiled once. params: whether they may refer to `params`."""

    def __init__(
        self, conditions: Sequence[Mapping[str, Any]], authorizer: Authorizer | None, *, params: bool = False
    ) -> None:
        self._authorizer = authorizer
        self._programs = [_compiled(each["expression"].strip(), params) for each in conditions]

    async def evaluate(self, attributes: Attributes) -> Match:
        """For a write on its own."""
        decisions = Decisions(self._authorizer, attributes.user)
        return await self.met(variables_of(attributes, decisions), decisions)

    async def met(self, variables: Mapping[str, Any], decisions: Decisions) -> Match:
        """For variables that are there already. One false condition is enough, whatever goes wrong with others."""
        budget = Budget(MATCH_CONDITIONS_BUDGET)
        errors: list[str] = []
        for each in self._programs:
            if isinstance(each, str):
                errors.append(f"compilation error: {each}")
                continue
            try:
                value = await decisions.settled(lambda program=each: program.evaluate(variables, budget))  # type: ignore[misc]
            except BudgetError as error:
                if budget.remaining < 0:
                    return Match(False, str(error))
                errors.append(_failed(each, error))
            except CelError as error:
                errors.append(_failed(each, error))
            else:
                if value is False:
                    return Match(False)
        return Match(False, aggregated(errors)) if errors else Match(True)


def _failed(program: Program, error: CelError) -> str:
    return f"expression '{program.source}' resulted in error: {error}"


def _compiled(source: str, params: bool) -> Program | str:
    try:
        return compile_to(admission_environment(params=params), source, BOOL)
    except CelError as error:
        return str(error)
