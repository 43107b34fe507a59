"""Printer columns of admission webhooks and policies."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, Document, dig, length, path, selector_text
from proa.machinery.resource import Column


def _param_kind(policy: Document) -> str:
    kind = dig(policy, "spec", "paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"


def _param(binding: Document) -> str:
    reference = dig(binding, "spec", "paramRef") or {}
    if reference.get("name"):
        # Whether the parameter is of a namespace cannot be told from here; one without says it could be any.
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return selector_text(reference["selector"]) if reference.get("selector") is not None else "<unset>"


_PARAM_KIND = Column("ParamKind", _param_kind, description="The kind of its parameters.")

WEBHOOK_CONFIGURATIONS = (NAME, length("Webhooks", "webhooks", "How many webhooks it has."), AGE)
VALIDATING_ADMISSION_POLICIES = (
    NAME,
    length("Validations", "spec.validations", "How many expressions must hold."),
    _PARAM_KIND,
    AGE,
)
MUTATING_ADMISSION_POLICIES = (
    NAME,
    length("Mutations", "spec.mutations", "How many expressions change the object."),
    _PARAM_KIND,
    AGE,
)
ADMISSION_POLICY_BINDINGS = (
    NAME,
    Column("PolicyName", path("spec.policyName"), description="The policy."),
    Column("ParamRef", _param, description="The parameters it is given."),
    AGE,
)
