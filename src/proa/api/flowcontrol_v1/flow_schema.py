"""flowcontrol/v1 declarations: which requests belong to which priority level."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Time


class FlowDistinguisherMethod(Object):
    type: Annotated[str, Field(1, required=True, enum=("ByUser", "ByNamespace"))] = always(str)


class GroupSubject(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class ServiceAccountSubject(Object):
    namespace: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(2, required=True)] = always(str)


class UserSubject(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class Subject(Object):
    kind: Annotated[str, Field(1, required=True, enum=("User", "Group", "ServiceAccount"))] = always(str)
    user: Annotated[UserSubject | None, Field(2)] = None
    group: Annotated[GroupSubject | None, Field(3)] = None
    serviceAccount: Annotated[ServiceAccountSubject | None, Field(4)] = None


class NonResourcePolicyRule(Object):
    verbs: Annotated[tuple[str, ...], Field(1, required=True, list="set")] = always(no_items)
    nonResourceURLs: Annotated[tuple[str, ...], Field(6, required=True, list="set")] = always(no_items)


class ResourcePolicyRule(Object):
    verbs: Annotated[tuple[str, ...], Field(1, required=True, list="set")] = always(no_items)
    apiGroups: Annotated[tuple[str, ...], Field(2, required=True, list="set")] = always(no_items)
    resources: Annotated[tuple[str, ...], Field(3, required=True, list="set")] = always(no_items)
    clusterScope: Annotated[bool, Field(4)] = False
    namespaces: Annotated[tuple[str, ...], Field(5, list="set")] = always(no_items)


class PolicyRulesWithSubjects(Object):
    subjects: Annotated[tuple[Subject, ...], Field(1, required=True, list="atomic")] = always(no_items)
    resourceRules: Annotated[tuple[ResourcePolicyRule, ...], Field(2, list="atomic")] = ()
    nonResourceRules: Annotated[tuple[NonResourcePolicyRule, ...], Field(3, list="atomic")] = ()


class PriorityLevelConfigurationReference(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class FlowSchemaSpec(Object):
    priorityLevelConfiguration: Annotated[PriorityLevelConfigurationReference, Field(1, required=True)] = always(
        PriorityLevelConfigurationReference
    )
    matchingPrecedence: Annotated[Int32, Field(2, default=1000)] = always(int)
    distinguisherMethod: Annotated[FlowDistinguisherMethod | None, Field(3)] = None
    rules: Annotated[tuple[PolicyRulesWithSubjects, ...], Field(4, list="atomic")] = ()


class FlowSchemaCondition(Object):
    type: Annotated[str, Field(1)] = ""
    status: Annotated[str, Field(2)] = ""
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class FlowSchemaStatus(Object):
    conditions: Annotated[
        tuple[FlowSchemaCondition, ...], Field(1, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class FlowSchema(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("flowcontrol.apiserver.k8s.io/v1")
    kind: str = fixed("FlowSchema")
    spec: Annotated[FlowSchemaSpec, Field(2)] = always(FlowSchemaSpec)
    status: Annotated[FlowSchemaStatus, Field(3)] = always(FlowSchemaStatus)


class FlowSchemaList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("flowcontrol.apiserver.k8s.io/v1")
    kind: str = fixed("FlowSchemaList")
    items: Annotated[tuple[FlowSchema, ...], Field(2, required=True)] = always(no_items)
