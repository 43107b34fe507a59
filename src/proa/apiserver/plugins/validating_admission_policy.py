"""ValidatingAdmissionPolicy: expressions of policies and their bindings that may refuse a write, warn or annotate."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from proa.api.admissionregistration_v1.resources import (
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.expressions.policies import Binding, Invocation, Policies, Policy, policies_of
from proa.apiserver.identity import Authorizer
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.meta import StatusCause
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, with_cause

if TYPE_CHECKING:
    from proa.apiserver.expressions.decisions import Decisions
    from proa.apiserver.expressions.validating import Denial, Outcome, ValidatingPolicy

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURE_KEY = "validation.policy.admission.k8s.io/validation_failure"


def _compiled(authorizer: Authorizer | None, spec: Any) -> ValidatingPolicy:
    from proa.apiserver.expressions.validating import ValidatingPolicy  # with it comes the language

    return ValidatingPolicy(spec, authorizer)


class ValidatingAdmissionPolicies:
    name = "ValidatingAdmissionPolicy"

    def __init__(self, context: PluginContext) -> None:
        self._authorizer = context.authorizer
        self._policies: Policies[ValidatingPolicy] | None = policies_of(
            context,
            VALIDATING_ADMISSION_POLICIES,
            VALIDATING_ADMISSION_POLICY_BINDINGS,
            partial(_compiled, context.authorizer),
        )

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return self._policies is not None and self._policies.handles(resource)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        policies = self._policies
        assert policies is not None
        return None if policies.idle else self._ask(policies, attributes)

    async def _ask(self, policies: Policies[ValidatingPolicy], attributes: Attributes) -> None:
        asked, wrong = await policies.invocations(attributes)
        if not (asked or wrong):
            return
        judgement = _Judgement(attributes)
        for each in wrong:
            if not each.policy.ignores_failure:
                judgement.deny(each.policy, each.binding, each.message)
        if asked:
            await self._judge(policies, asked, attributes, judgement)
        judgement.close()

    async def _judge(
        self, policies: Policies[ValidatingPolicy], asked: Any, attributes: Attributes, judgement: _Judgement
    ) -> None:
        from proa.apiserver.expressions.decisions import Decisions
        from proa.apiserver.expressions.variables import request_of, variables_of

        namespace = await policies.namespace_of(attributes)
        decisions: Decisions = Decisions(self._authorizer, attributes.user)
        for each in asked:
            invocation: Invocation = each
            seen = await policies.as_version(attributes, invocation.version)
            variables = variables_of(
                seen,
                decisions,
                request=request_of(attributes, invocation.version),
                params=invocation.param,
                namespace=namespace,
            )
            judgement.take(invocation, await invocation.policy.compiled.judge(variables, decisions))


class _Judgement:
    """What the policies together mean for one write."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._denied: StatusError | None = None
        self._annotations: dict[str, list[str]] = {}

    def deny(self, policy: Policy[Any], binding: Binding | None, message: str, reason: str = "Invalid") -> None:
        """The first denial is told."""
        if self._denied is not None:
            return
        by = f"ValidatingAdmissionPolicy '{policy.name}'"
        if binding is not None:
            by += f" with binding '{binding.name}'"
        text = f"{by} denied request: {message}"
        error = with_cause(self._attributes.forbidden(text), StatusCause(message=text))
        self._denied = StatusError(msgspec.structs.replace(error.status, reason=reason, code=_CODES.get(reason, 422)))

    def take(self, invocation: Invocation, outcome: Outcome) -> None:
        policy, binding = invocation.policy, invocation.binding
        for denial in outcome.denials:
            if not (denial.failed and policy.ignores_failure):
                self._act(policy, binding, denial)
        for key, value in outcome.annotations:
            values = self._annotations.setdefault(f"{policy.name}/{key}", [])
            if value not in values:
                values.append(value)
        if not policy.ignores_failure:
            for error in outcome.errors:
                self.deny(policy, binding, error)

    def _act(self, policy: Policy[Any], binding: Binding, denial: Denial) -> None:
        actions = binding.declared.spec.validationActions
        if "Deny" in actions:
            self.deny(policy, binding, denial.message, denial.reason)
        if "Audit" in actions:
            failure = {
                "message": denial.message,
                "policy": policy.name,
                "binding": binding.name,
                "expressionIndex": denial.position,
                "validationActions": list(actions),
            }
            self._attributes.annotations[_FAILURE_KEY] = msgspec.json.encode([failure]).decode()
        if "Warn" in actions:
            self._attributes.warnings.append(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                f"{denial.message}"
            )

    def close(self) -> None:
        """Publish the annotations. Raises the denial."""
        for key, values in self._annotations.items():
            self._attributes.annotations[key] = ", ".join(values)
        if self._denied is not None:
            raise self._denied
