"""What one MutatingAdmissionPolicy makes of an object: its mutations in order, each on what those before it left."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch

from proa.apiserver.expressions.composition import Compiled, Composition, compile_or_say, evaluation_of
from proa.apiserver.expressions.decisions import Decisions
from proa.apiserver.expressions.match_conditions import MatchConditions
from proa.apiserver.identity import Authorizer
from proa.base.errors import ProaError
from proa.lang.cel.environment import Budget
from proa.lang.cel.errors import CelError
from proa.machinery import patch
from proa.machinery.apply.laying import LayingError, laid_over
from proa.machinery.expressions.admission import OBJECT, admission_environment
from proa.machinery.expressions.environment import BUDGET
from proa.machinery.expressions.patches import PATCH_TYPES, PatchError, document_of, operations_of, with_patches
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError

Document = Mapping[str, Any]


class MutationError(ProaError):
    """A mutation that cannot be made; what that means is the failure policy's business."""


class MutatingPolicy:
    """The expressions of a policy, compiled."""

    def __init__(self, spec: Any, authorizer: Authorizer | None) -> None:
        params = spec.paramKind is not None
        full = admission_environment(params=params)
        self._composition = Composition(spec.variables, full)
        environment = with_patches(self._composition.environment_of(full))
        conditions = [{"name": each.name, "expression": each.expression} for each in spec.matchConditions]
        self._conditions = MatchConditions(conditions, authorizer, params=params)
        self._mutations = [
            (each.patchType, compile_or_say(environment, _source(each), PATCH_TYPES[each.patchType]))
            for each in spec.mutations
        ]

    async def matches(self, variables: Mapping[str, Any], decisions: Decisions) -> bool:
        """Whether its match conditions hold. Raises MutationError when nobody can say."""
        match = await self._conditions.met(variables, decisions)
        if match.error is not None:
            raise MutationError(match.error)
        return match.matches

    async def mutated(self, variables: Mapping[str, Any], decisions: Decisions, resource: Resource[Any]) -> Document:
        """The object after all mutations. resource: as which it is seen. Raises MutationError."""
        document: Document = variables[OBJECT]
        for kind, program in self._mutations:
            document = await self._mutate(kind, program, {**variables, OBJECT: document}, decisions, resource)
        return document

    async def _mutate(
        self,
        kind: str,
        program: Compiled,
        variables: Mapping[str, Any],
        decisions: Decisions,
        resource: Resource[Any],
    ) -> Document:
        if isinstance(program, str):
            raise MutationError(program)
        budget = Budget(BUDGET)
        seen = self._composition.values(variables, budget)
        try:
            value = await decisions.settled(evaluation_of(program, seen, budget))
            if kind == "JSONPatch":
                return _patched(variables[OBJECT], operations_of(value))
            part = {**document_of(value), "apiVersion": resource.api_version, "kind": resource.kind}
            return laid_over(variables[OBJECT], part, resource.schema)
        except (CelError, PatchError) as error:
            raise MutationError(str(error)) from None
        except LayingError as error:
            raise MutationError(f"error applying patch: {error}") from None


def _source(mutation: Any) -> str:
    declared = mutation.jsonPatch if mutation.patchType == "JSONPatch" else mutation.applyConfiguration
    return str(declared.expression).strip() if declared is not None else ""


def _patched(document: Document, operations: list[dict[str, Any]]) -> Document:
    """A patch whose `test` fails changes nothing. Raises MutationError."""
    try:
        found: Document = patch.apply_json_patch(copy.deepcopy(dict(document)), operations)
    except StatusError as error:
        if isinstance(error.__cause__, jsonpatch.JsonPatchTestFailed):
            return document
        raise MutationError(f"JSON Patch: {error.message}") from None
    return found
