"""core/v1 declarations."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always, no_items
from proa.machinery.meta import LabelSelector
from proa.machinery.scalars import Int32, Int64, Time


class NodeSelectorRequirement(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    operator: Annotated[str, Field(2, required=True)] = always(str)
    values: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()


class NodeSelectorTerm(Object):
    map_type: ClassVar[str] = "atomic"
    matchExpressions: Annotated[tuple[NodeSelectorRequirement, ...], Field(1, list="atomic")] = ()
    matchFields: Annotated[tuple[NodeSelectorRequirement, ...], Field(2, list="atomic")] = ()


class NodeSelector(Object):
    map_type: ClassVar[str] = "atomic"
    nodeSelectorTerms: Annotated[tuple[NodeSelectorTerm, ...], Field(1, required=True, list="atomic")] = always(
        no_items
    )


class PreferredSchedulingTerm(Object):
    weight: Annotated[Int32, Field(1, required=True)] = always(int)
    preference: Annotated[NodeSelectorTerm, Field(2, required=True)] = always(NodeSelectorTerm)


class NodeAffinity(Object):
    requiredDuringSchedulingIgnoredDuringExecution: Annotated[NodeSelector | None, Field(1)] = None
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        tuple[PreferredSchedulingTerm, ...], Field(2, list="atomic")
    ] = ()


class PodAffinityTerm(Object):
    labelSelector: Annotated[LabelSelector | None, Field(1)] = None
    namespaces: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    topologyKey: Annotated[str, Field(3, required=True)] = always(str)
    namespaceSelector: Annotated[LabelSelector | None, Field(4)] = None
    matchLabelKeys: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()
    mismatchLabelKeys: Annotated[tuple[str, ...], Field(6, list="atomic")] = ()


class WeightedPodAffinityTerm(Object):
    weight: Annotated[Int32, Field(1, required=True)] = always(int)
    podAffinityTerm: Annotated[PodAffinityTerm, Field(2, required=True)] = always(PodAffinityTerm)


class PodAffinity(Object):
    requiredDuringSchedulingIgnoredDuringExecution: Annotated[tuple[PodAffinityTerm, ...], Field(1, list="atomic")] = ()
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], Field(2, list="atomic")
    ] = ()


class PodAntiAffinity(Object):
    requiredDuringSchedulingIgnoredDuringExecution: Annotated[tuple[PodAffinityTerm, ...], Field(1, list="atomic")] = ()
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], Field(2, list="atomic")
    ] = ()


class Affinity(Object):
    nodeAffinity: Annotated[NodeAffinity | None, Field(1)] = None
    podAffinity: Annotated[PodAffinity | None, Field(2)] = None
    podAntiAffinity: Annotated[PodAntiAffinity | None, Field(3)] = None


class Taint(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[str, Field(2)] = ""
    effect: Annotated[str, Field(3, required=True)] = always(str)
    timeAdded: Annotated[Time | None, Field(4)] = None


class Toleration(Object):
    key: Annotated[str, Field(1)] = ""
    operator: Annotated[str, Field(2, enum=("Exists", "Equal", "Lt", "Gt"))] = ""
    value: Annotated[str, Field(3)] = ""
    effect: Annotated[str, Field(4, enum=("NoSchedule", "PreferNoSchedule", "NoExecute"))] = ""
    tolerationSeconds: Annotated[Int64 | None, Field(5)] = None


class TopologySelectorLabelRequirement(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    values: Annotated[tuple[str, ...], Field(2, required=True, list="atomic")] = always(no_items)


class TopologySelectorTerm(Object):
    map_type: ClassVar[str] = "atomic"
    matchLabelExpressions: Annotated[tuple[TopologySelectorLabelRequirement, ...], Field(1, list="atomic")] = ()


class TopologySpreadConstraint(Object):
    maxSkew: Annotated[Int32, Field(1, required=True)] = always(int)
    topologyKey: Annotated[str, Field(2, required=True)] = always(str)
    whenUnsatisfiable: Annotated[str, Field(3, required=True, enum=("DoNotSchedule", "ScheduleAnyway"))] = always(str)
    labelSelector: Annotated[LabelSelector | None, Field(4)] = None
    minDomains: Annotated[Int32 | None, Field(5)] = None
    nodeAffinityPolicy: Annotated[str | None, Field(6, enum=("Ignore", "Honor"))] = None
    nodeTaintsPolicy: Annotated[str | None, Field(7, enum=("Ignore", "Honor"))] = None
    matchLabelKeys: Annotated[tuple[str, ...], Field(8, list="atomic")] = ()
