"""admissionregistration/v1 declarations: what requests a policy or a webhook is asked about."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always
from proa.machinery.meta import LabelSelector


class RuleWithOperations(Object):
    operations: Annotated[
        tuple[str, ...], Field(1, enum=("*", "CREATE", "UPDATE", "DELETE", "CONNECT"), list="atomic")
    ] = ()
    apiGroups: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    apiVersions: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    resources: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    scope: Annotated[str | None, Field(default="*", enum=("Cluster", "Namespaced", "*"))] = None


class NamedRuleWithOperations(Object):
    map_type: ClassVar[str] = "atomic"
    resourceNames: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    operations: Annotated[
        tuple[str, ...], Field(enum=("*", "CREATE", "UPDATE", "DELETE", "CONNECT"), list="atomic")
    ] = ()
    apiGroups: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    apiVersions: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    resources: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    scope: Annotated[str | None, Field(default="*", enum=("Cluster", "Namespaced", "*"))] = None


class MatchCondition(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    expression: Annotated[str, Field(2, required=True)] = always(str)


class MatchResources(Object):
    map_type: ClassVar[str] = "atomic"
    namespaceSelector: Annotated[LabelSelector | None, Field(1, default={})] = None
    objectSelector: Annotated[LabelSelector | None, Field(2, default={})] = None
    resourceRules: Annotated[tuple[NamedRuleWithOperations, ...], Field(3, list="atomic")] = ()
    excludeResourceRules: Annotated[tuple[NamedRuleWithOperations, ...], Field(4, list="atomic")] = ()
    matchPolicy: Annotated[str | None, Field(7, default="Equivalent", enum=("Exact", "Equivalent"))] = None
