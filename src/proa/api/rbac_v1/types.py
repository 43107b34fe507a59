"""rbac/v1 declarations."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta


class AggregationRule(Object):
    clusterRoleSelectors: Annotated[tuple[LabelSelector, ...], Field(1, list="atomic")] = ()


class PolicyRule(Object):
    verbs: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    apiGroups: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    resources: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()
    resourceNames: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()
    nonResourceURLs: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()


class ClusterRole(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("ClusterRole")
    rules: Annotated[tuple[PolicyRule, ...], Field(2, list="atomic")] = always(no_items)
    aggregationRule: Annotated[AggregationRule | None, Field(3)] = None


class RoleRef(Object):
    map_type: ClassVar[str] = "atomic"
    apiGroup: Annotated[str, Field(1, default="rbac.authorization.k8s.io")] = always(str)
    kind: Annotated[str, Field(2, required=True)] = always(str)
    name: Annotated[str, Field(3, required=True)] = always(str)


class Subject(Object):
    map_type: ClassVar[str] = "atomic"
    kind: Annotated[str, Field(1, required=True)] = always(str)
    apiGroup: Annotated[str, Field(2)] = ""
    name: Annotated[str, Field(3, required=True)] = always(str)
    namespace: Annotated[str, Field(4)] = ""


class ClusterRoleBinding(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("ClusterRoleBinding")
    subjects: Annotated[tuple[Subject, ...], Field(2, list="atomic")] = ()
    roleRef: Annotated[RoleRef, Field(3, required=True)] = always(RoleRef)


class ClusterRoleBindingList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("ClusterRoleBindingList")
    items: Annotated[tuple[ClusterRoleBinding, ...], Field(2, required=True)] = always(no_items)


class ClusterRoleList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("ClusterRoleList")
    items: Annotated[tuple[ClusterRole, ...], Field(2, required=True)] = always(no_items)


class Role(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("Role")
    rules: Annotated[tuple[PolicyRule, ...], Field(2, list="atomic")] = always(no_items)


class RoleBinding(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("RoleBinding")
    subjects: Annotated[tuple[Subject, ...], Field(2, list="atomic")] = ()
    roleRef: Annotated[RoleRef, Field(3, required=True)] = always(RoleRef)


class RoleBindingList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("RoleBindingList")
    items: Annotated[tuple[RoleBinding, ...], Field(2, required=True)] = always(no_items)


class RoleList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("rbac.authorization.k8s.io/v1")
    kind: str = fixed("RoleList")
    items: Annotated[tuple[Role, ...], Field(2, required=True)] = always(no_items)
