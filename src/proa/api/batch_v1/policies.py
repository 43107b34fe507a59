"""batch/v1 declarations: what counts as failure and as success of a job."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, no_items
from proa.machinery.scalars import Int32


class PodFailurePolicyOnExitCodesRequirement(Object):
    containerName: Annotated[str | None, Field(1)] = None
    operator: Annotated[str, Field(2, required=True, enum=("In", "NotIn"))] = always(str)
    values: Annotated[tuple[Int32, ...], Field(3, required=True, list="set")] = always(no_items)


class PodFailurePolicyOnPodConditionsPattern(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, default="True")] = always(str)


class PodFailurePolicyRule(Object):
    action: Annotated[str, Field(1, required=True, enum=("FailJob", "FailIndex", "Ignore", "Count"))] = always(str)
    onExitCodes: Annotated[PodFailurePolicyOnExitCodesRequirement | None, Field(2)] = None
    onPodConditions: Annotated[tuple[PodFailurePolicyOnPodConditionsPattern, ...], Field(3, list="atomic")] = ()


class PodFailurePolicy(Object):
    rules: Annotated[tuple[PodFailurePolicyRule, ...], Field(1, required=True, list="atomic")] = always(no_items)


class SuccessPolicyRule(Object):
    succeededIndexes: Annotated[str | None, Field(1)] = None
    succeededCount: Annotated[Int32 | None, Field(2)] = None


class SuccessPolicy(Object):
    rules: Annotated[tuple[SuccessPolicyRule, ...], Field(1, required=True, list="atomic")] = always(no_items)
