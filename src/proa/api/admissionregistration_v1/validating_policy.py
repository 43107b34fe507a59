"""admissionregistration/v1 declarations: validating admission policies."""

from typing import Annotated

from proa.api.admissionregistration_v1.matching import MatchCondition, MatchResources
from proa.api.admissionregistration_v1.policy import ParamKind, ParamRef, Variable
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import Condition, ListMeta, ObjectMeta
from proa.machinery.scalars import Int64


class AuditAnnotation(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    valueExpression: Annotated[str, Field(2, required=True)] = always(str)


class ExpressionWarning(Object):
    fieldRef: Annotated[str, Field(2, required=True)] = always(str)
    warning: Annotated[str, Field(3, required=True)] = always(str)


class TypeChecking(Object):
    expressionWarnings: Annotated[tuple[ExpressionWarning, ...], Field(1, list="atomic")] = ()


class Validation(Object):
    expression: Annotated[str, Field(1, required=True)] = always(str)
    message: Annotated[str, Field(2)] = ""
    reason: Annotated[str | None, Field(3)] = None
    messageExpression: Annotated[str, Field(4)] = ""


class ValidatingAdmissionPolicySpec(Object):
    paramKind: Annotated[ParamKind | None, Field(1)] = None
    matchConstraints: Annotated[MatchResources | None, Field(2)] = None
    validations: Annotated[tuple[Validation, ...], Field(3, list="atomic")] = ()
    failurePolicy: Annotated[str | None, Field(4, default="Fail", enum=("Ignore", "Fail"))] = None
    auditAnnotations: Annotated[tuple[AuditAnnotation, ...], Field(5, list="atomic")] = ()
    matchConditions: Annotated[
        tuple[MatchCondition, ...], Field(6, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    variables: Annotated[tuple[Variable, ...], Field(7, list="map", keys=("name",), merge="merge", key="name")] = ()


class ValidatingAdmissionPolicyStatus(Object):
    observedGeneration: Annotated[Int64, Field(1)] = 0
    typeChecking: Annotated[TypeChecking | None, Field(2)] = None
    conditions: Annotated[tuple[Condition, ...], Field(3, list="map", keys=("type",))] = ()


class ValidatingAdmissionPolicy(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingAdmissionPolicy")
    spec: Annotated[ValidatingAdmissionPolicySpec, Field(2)] = always(ValidatingAdmissionPolicySpec)
    status: Annotated[ValidatingAdmissionPolicyStatus, Field(3)] = always(ValidatingAdmissionPolicyStatus)


class ValidatingAdmissionPolicyList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingAdmissionPolicyList")
    items: Annotated[tuple[ValidatingAdmissionPolicy, ...], Field(2, required=True)] = always(no_items)


class ValidatingAdmissionPolicyBindingSpec(Object):
    policyName: Annotated[str, Field(1, required=True)] = ""
    paramRef: Annotated[ParamRef | None, Field(2)] = None
    matchResources: Annotated[MatchResources | None, Field(3)] = None
    validationActions: Annotated[
        tuple[str, ...], Field(4, required=True, enum=("Deny", "Warn", "Audit"), list="set")
    ] = ()


class ValidatingAdmissionPolicyBinding(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingAdmissionPolicyBinding")
    spec: Annotated[ValidatingAdmissionPolicyBindingSpec, Field(2, required=True)] = always(
        ValidatingAdmissionPolicyBindingSpec
    )


class ValidatingAdmissionPolicyBindingList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingAdmissionPolicyBindingList")
    items: Annotated[tuple[ValidatingAdmissionPolicyBinding, ...], Field(2, required=True)] = always(no_items)
