"""What one ValidatingAdmissionPolicy says of one write: decisions with messages, and annotations for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from proa.apiserver.expressions.composition import Compiled, Composition, compile_or_say, evaluation_of
from proa.apiserver.expressions.decisions import Decisions
from proa.apiserver.expressions.match_conditions import MatchConditions
from proa.apiserver.identity import Authorizer
from proa.lang.cel.environment import Budget, Program
from proa.lang.cel.errors import CelError
from proa.lang.cel.types import BOOL, NULL, STRING
from proa.machinery.expressions.admission import admission_environment
from proa.machinery.expressions.environment import BUDGET, LONGEST_MESSAGE

LONGEST_ANNOTATION = 10 * 1024


class Denial(NamedTuple):
    """position: of the validation in the policy. reason: a Status reason. failed: nobody could say whether it holds."""

    position: int
    message: str
    reason: str = "Invalid"
    failed: bool = False


class Outcome(NamedTuple):
    """annotations: key and value. errors: of annotations that could not be made."""

    denials: tuple[Denial, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()


class _Validation(NamedTuple):
    declared: Any
    program: Compiled
    message: Compiled | None


class ValidatingPolicy:
    """The expressions of a policy, compiled."""

    def __init__(self, spec: Any, authorizer: Authorizer | None) -> None:
        params = spec.paramKind is not None
        full = admission_environment(params=params)
        self._composition = Composition(spec.variables, full)
        environment = self._composition.environment_of(full)
        bare = self._composition.environment_of(admission_environment(params=params, authorizer=False))
        conditions = [{"name": each.name, "expression": each.expression} for each in spec.matchConditions]
        self._conditions = MatchConditions(conditions, authorizer, params=params)
        self._validations = [
            _Validation(
                each,
                compile_or_say(environment, each.expression, BOOL),
                compile_or_say(bare, each.messageExpression, STRING) if each.messageExpression else None,
            )
            for each in spec.validations
        ]
        self._annotations = [
            (each.key, compile_or_say(environment, each.valueExpression.strip(), STRING, NULL))
            for each in spec.auditAnnotations
        ]

    async def judge(self, variables: Mapping[str, Any], decisions: Decisions) -> Outcome:
        """What it says; failures are denials marked as such."""
        match = await self._conditions.met(variables, decisions)
        if match.error is not None:
            return Outcome((Denial(0, match.error, failed=True),))
        if not match.matches:
            return Outcome()
        budget = Budget(BUDGET)
        seen = self._composition.values(variables, budget)
        denials: list[Denial] = []
        for position, each in enumerate(self._validations):
            denial = await self._validate(position, each, seen, decisions, budget)
            if denial is not None:
                denials.append(denial)
            if budget.remaining < 0:
                return Outcome((Denial(0, denials[-1].message, failed=True),))
        annotations, errors = await self._annotate(variables, decisions)
        return Outcome(tuple(denials), annotations, errors)

    async def _validate(
        self, position: int, validation: _Validation, seen: Mapping[str, Any], decisions: Decisions, budget: Budget
    ) -> Denial | None:
        program = validation.program
        if isinstance(program, str):
            return Denial(position, f"compilation error: {program}", failed=True)
        try:
            holds = await decisions.settled(evaluation_of(program, seen, budget))
        except CelError as error:
            return Denial(position, str(error), failed=True)
        if holds is True:
            return None
        try:
            message = await self._message(validation, seen, decisions, budget)
        except CelError as error:
            return Denial(position, f"failed messageExpression: {error}", failed=True)
        return Denial(position, message, validation.declared.reason or "Invalid")

    async def _message(
        self, validation: _Validation, seen: Mapping[str, Any], decisions: Decisions, budget: Budget
    ) -> str:
        """Raises CelError only when the budget is spent."""
        if isinstance(validation.message, Program):
            try:
                value = await decisions.settled(evaluation_of(validation.message, seen, budget))
            except CelError:
                if budget.remaining < 0:
                    raise
                value = None
            message = value.strip() if isinstance(value, str) else ""
            if message and "\n" not in message and len(message.encode()) <= LONGEST_MESSAGE:
                return message
        declared = validation.declared
        return declared.message.strip() or f"failed expression: {declared.expression.strip()}"

    async def _annotate(
        self, variables: Mapping[str, Any], decisions: Decisions
    ) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        budget = Budget(BUDGET)
        seen = self._composition.values(variables, budget)
        found: list[tuple[str, str]] = []
        errors: list[str] = []
        for key, program in self._annotations:
            if isinstance(program, str):
                errors.append(f"compilation error: {program}")
                continue
            try:
                value = await decisions.settled(evaluation_of(program, seen, budget))
            except CelError as error:
                errors.append(str(error))
                continue
            text = value.strip() if isinstance(value, str) else ""
            if text:
                found.append((key, text[:LONGEST_ANNOTATION]))
        return tuple(found), tuple(errors)
