"""admissionregistration/v1 declarations: mutating admission policies."""

from typing import Annotated

from proa.api.admissionregistration_v1.matching import MatchCondition, MatchResources
from proa.api.admissionregistration_v1.policy import ParamKind, ParamRef, Variable
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class ApplyConfiguration(Object):
    expression: Annotated[str, Field(1)] = ""


class JSONPatch(Object):
    expression: Annotated[str, Field(1)] = ""


class Mutation(Object):
    patchType: Annotated[str, Field(2, required=True, enum=("ApplyConfiguration", "JSONPatch"))] = always(str)
    applyConfiguration: Annotated[ApplyConfiguration | None, Field(3)] = None
    jsonPatch: Annotated[JSONPatch | None, Field(4)] = None


class MutatingAdmissionPolicySpec(Object):
    paramKind: Annotated[ParamKind | None, Field(1)] = None
    matchConstraints: Annotated[MatchResources | None, Field(2)] = None
    variables: Annotated[tuple[Variable, ...], Field(3, list="atomic")] = ()
    mutations: Annotated[tuple[Mutation, ...], Field(4, list="atomic")] = ()
    failurePolicy: Annotated[str | None, Field(5, default="Fail", enum=("Ignore", "Fail"))] = None
    matchConditions: Annotated[
        tuple[MatchCondition, ...], Field(6, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    reinvocationPolicy: Annotated[str, Field(7, enum=("Never", "IfNeeded"))] = ""


class MutatingAdmissionPolicy(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingAdmissionPolicy")
    spec: Annotated[MutatingAdmissionPolicySpec, Field(2)] = always(MutatingAdmissionPolicySpec)


class MutatingAdmissionPolicyList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingAdmissionPolicyList")
    items: Annotated[tuple[MutatingAdmissionPolicy, ...], Field(2, required=True)] = always(no_items)


class MutatingAdmissionPolicyBindingSpec(Object):
    policyName: Annotated[str, Field(1)] = ""
    paramRef: Annotated[ParamRef | None, Field(2)] = None
    matchResources: Annotated[MatchResources | None, Field(3)] = None


class MutatingAdmissionPolicyBinding(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingAdmissionPolicyBinding")
    spec: Annotated[MutatingAdmissionPolicyBindingSpec, Field(2)] = always(MutatingAdmissionPolicyBindingSpec)


class MutatingAdmissionPolicyBindingList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingAdmissionPolicyBindingList")
    items: Annotated[tuple[MutatingAdmissionPolicyBinding, ...], Field(2, required=True)] = always(no_items)
