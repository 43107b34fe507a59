"""A policy's own variables: expressions with names, which later ones may refer to, evaluated when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.environment import Budget, Environment, Program
from proa.lang.cel.errors import BudgetError, CelError, EvaluationError
from proa.lang.cel.types import Type
from proa.lang.cel.values import MapValue
from proa.machinery.expressions.admission import VARIABLES, compile_to, composed
from proa.machinery.fields import quoted

Compiled = Program | str
"""A program, or why there is none."""


def compile_or_say(environment: Environment, source: str, *results: Type) -> Compiled:
    """For expressions that were checked when they were written: what is wrong with them is told when they are used."""
    try:
        return compile_to(environment, source, *results)
    except CelError as error:
        return str(error)


class Composition:
    """The variables of one policy, compiled. In `environment_of(base)` they are known."""

    def __init__(self, variables: Sequence[Any], base: Environment) -> None:
        self.programs: dict[str, Compiled] = {}
        self._types: dict[str, Type] = {}
        for each in variables:
            program = compile_or_say(composed(base, self._types), each.expression)
            self.programs[each.name] = program
            self._types[each.name] = program.result if isinstance(program, Program) else types.DYN

    def environment_of(self, base: Environment) -> Environment:
        return composed(base, self._types) if self._types else base

    def values(self, variables: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
        """The variables of a request with those of the policy among them."""
        if not self.programs:
            return dict(variables)
        known = dict(variables)
        known[VARIABLES] = Variables(self.programs, known, budget)
        return known


class Variables(MapValue):
    """The value of `variables`: each is evaluated once, when it is first asked for."""

    __slots__ = ("_budget", "_known", "_programs", "_seen")

    def __init__(self, programs: Mapping[str, Compiled], seen: Mapping[str, Any], budget: Budget) -> None:
        self._programs = programs
        self._seen = seen
        self._budget = budget
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        program = self._programs[key]
        if key not in self._known:
            self._known[key] = self._evaluated(key, program)
        found = self._known[key]
        if isinstance(found, EvaluationError):
            raise found
        return found

    def _evaluated(self, name: str, program: Compiled) -> Any:
        if isinstance(program, str):
            return EvaluationError(f"composited variable {quoted(name)} fails to compile: {program}")
        try:
            return program.evaluate(self._seen, self._budget)
        except BudgetError as error:
            if self._budget.remaining < 0:
                raise
            return EvaluationError(f"composited variable {quoted(name)} fails to evaluate: {error}")
        except EvaluationError as error:
            return EvaluationError(f"composited variable {quoted(name)} fails to evaluate: {error}")

    def __contains__(self, key: object) -> bool:
        return key in self._programs

    def __iter__(self) -> Iterator[Any]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


def evaluation_of(program: Program, variables: Mapping[str, Any], budget: Budget) -> Callable[[], Any]:
    """The evaluation, to be settled. Raises CelError that names the expression; BudgetError when all is spent."""

    def evaluate() -> Any:
        try:
            return program.evaluate(variables, budget)
        except CelError as error:
            if budget.remaining < 0:
                raise
            raise EvaluationError(f"expression '{program.source}' resulted in error: {error}") from None

    return evaluate
