"""policy/v1 declarations: pod disruption budgets."""

from collections.abc import Mapping
from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import Condition, LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, IntOrString, Time


class PodDisruptionBudgetSpec(Object):
    minAvailable: Annotated[IntOrString | None, Field(1)] = None
    selector: Annotated[LabelSelector | None, Field(2, merge="replace")] = None
    maxUnavailable: Annotated[IntOrString | None, Field(3)] = None
    unhealthyPodEvictionPolicy: Annotated[str | None, Field(4, enum=("IfHealthyBudget", "AlwaysAllow"))] = None


class PodDisruptionBudgetStatus(Object):
    observedGeneration: Annotated[Int64, Field(1)] = 0
    disruptedPods: Annotated[Mapping[str, Time], Field(2)] = {}
    disruptionsAllowed: Annotated[Int32, Field(3)] = always(int)
    currentHealthy: Annotated[Int32, Field(4)] = always(int)
    desiredHealthy: Annotated[Int32, Field(5)] = always(int)
    expectedPods: Annotated[Int32, Field(6)] = always(int)
    conditions: Annotated[tuple[Condition, ...], Field(7, list="map", keys=("type",), merge="merge", key="type")] = ()


class PodDisruptionBudget(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("policy/v1")
    kind: str = fixed("PodDisruptionBudget")
    spec: Annotated[PodDisruptionBudgetSpec, Field(2)] = always(PodDisruptionBudgetSpec)
    status: Annotated[PodDisruptionBudgetStatus, Field(3)] = always(PodDisruptionBudgetStatus)


class PodDisruptionBudgetList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("policy/v1")
    kind: str = fixed("PodDisruptionBudgetList")
    items: Annotated[tuple[PodDisruptionBudget, ...], Field(2, required=True)] = always(no_items)
