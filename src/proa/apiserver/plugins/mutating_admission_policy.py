"""MutatingAdmissionPolicy: expressions of policies and their bindings that change an object.

Each sees what those before it made of the object. When one has changed it, all mutating plugins run once more, and of
the policies those that want to (reinvocationPolicy IfNeeded) and ran before the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from proa.api.admissionregistration_v1.resources import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
)
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.expressions.policies import Binding, Invocation, Policies, Policy, policies_of
from proa.apiserver.identity import Authorizer
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.webhooks.mutation import Mutation
from proa.machinery.fields import quoted
from proa.machinery.meta import StatusCause
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, with_cause

if TYPE_CHECKING:
    from proa.apiserver.expressions.decisions import Decisions
    from proa.apiserver.expressions.mutating import MutatingPolicy


@dataclass(slots=True)
class _Rounds:
    """What one write must remember between its rounds."""

    willing: set[tuple[str, ...]] = field(default_factory=set)
    """Have run since the last change, and would like to run again after the next one."""
    due: set[tuple[str, ...]] = field(default_factory=set)
    """To run again in round 1."""
    result: bytes = b""
    """What the last policy left."""

    def changed(self) -> None:
        self.due |= self.willing
        self.willing.clear()


def _compiled(authorizer: Authorizer | None, spec: Any) -> MutatingPolicy:
    from proa.apiserver.expressions.mutating import MutatingPolicy  # with it comes the language

    return MutatingPolicy(spec, authorizer)


class MutatingAdmissionPolicies:
    name = "MutatingAdmissionPolicy"

    def __init__(self, context: PluginContext) -> None:
        self._authorizer = context.authorizer
        self._policies: Policies[MutatingPolicy] | None = policies_of(
            context,
            MUTATING_ADMISSION_POLICIES,
            MUTATING_ADMISSION_POLICY_BINDINGS,
            partial(_compiled, context.authorizer),
        )

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return self._policies is not None and operation in ("CREATE", "UPDATE") and self._policies.handles(resource)

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        policies = self._policies
        assert policies is not None
        return None if policies.idle or attributes.document is None else self._ask(policies, attributes)

    async def _ask(self, policies: Policies[MutatingPolicy], attributes: Attributes) -> None:
        asked, wrong = await policies.invocations(attributes)
        errors = [
            _Problem(each.policy, each.binding, each.message) for each in wrong if not each.policy.ignores_failure
        ]
        if asked:
            errors += await self._run(policies, asked, attributes)
        if errors:
            raise _refusal(errors, attributes)

    async def _run(
        self, policies: Policies[MutatingPolicy], asked: Sequence[Invocation], attributes: Attributes
    ) -> list[_Problem]:
        from proa.apiserver.expressions.decisions import Decisions
        from proa.apiserver.expressions.mutating import MutationError

        rounds: _Rounds = attributes.kept.setdefault(self.name, _Rounds())
        if attributes.round and rounds.result != _fingerprint(attributes):
            rounds.changed()
        namespace = await policies.namespace_of(attributes)
        decisions: Decisions = Decisions(self._authorizer, attributes.user)
        errors: list[_Problem] = []
        for each in asked:
            try:
                changed = await self._invoke(policies, each, attributes, decisions, namespace, rounds)
            except MutationError as error:
                if not each.policy.ignores_failure:
                    errors.append(_Problem(each.policy, each.binding, str(error), "Invalid"))
                continue
            if changed:
                rounds.changed()
                attributes.reinvoke = True
            if changed is not None and each.policy.declared.spec.reinvocationPolicy == "IfNeeded":
                rounds.willing.add(_key(each))
        rounds.result = _fingerprint(attributes)
        return errors

    async def _invoke(
        self,
        policies: Policies[MutatingPolicy],
        invocation: Invocation,
        attributes: Attributes,
        decisions: Decisions,
        namespace: Any,
        rounds: _Rounds,
    ) -> bool | None:
        """Whether it changed the object; None: it did not run. Raises MutationError, StatusError."""
        from proa.apiserver.expressions.mutating import MutationError
        from proa.apiserver.expressions.variables import request_of, variables_of

        mutation = Mutation(policies.server)
        seen = mutation.shown(await policies.documents(attributes, invocation.version), attributes)
        variables = variables_of(
            attributes,
            decisions,
            request=request_of(attributes, invocation.version),
            params=invocation.param,
            namespace=namespace,
        ) | {"object": seen.document, "oldObject": seen.old}
        compiled = invocation.policy.compiled
        if not await compiled.matches(variables, decisions):
            return None
        if attributes.round and _key(invocation) not in rounds.due:
            return None
        document = await compiled.mutated(variables, decisions, invocation.version)
        try:
            return await mutation.put(msgspec.json.decode(msgspec.json.encode(document)), seen, attributes)
        except StatusError as error:
            raise MutationError(error.message) from None


@dataclass(frozen=True, slots=True)
class _Problem:
    policy: Policy[Any]
    binding: Binding | None
    message: str
    reason: str = ""

    def __str__(self) -> str:
        if self.binding is None:
            return f"policy {quoted(self.policy.name)} denied request: {self.message}"
        return f"policy '{self.policy.name}' with binding '{self.binding.name}' denied request: {self.message}"


def _refusal(errors: Sequence[_Problem], attributes: Attributes) -> StatusError:
    first = errors[0]
    causes = [StatusCause(message=str(each)) for each in errors]
    status = with_cause(attributes.forbidden(""), *causes).status
    return StatusError(msgspec.structs.replace(status, message=str(first), reason=first.reason or status.reason))


def _key(invocation: Invocation) -> tuple[str, ...]:
    metadata = (invocation.param or {}).get("metadata") or {}
    return (
        invocation.policy.name,
        invocation.binding.name,
        metadata.get("namespace") or "",
        metadata.get("name") or "",
    )


def _fingerprint(attributes: Attributes) -> bytes:
    return msgspec.json.encode(attributes.document, order="sorted")
