"""batch/v1 declarations: jobs."""

from typing import Annotated

from proa.api.batch_v1.policies import PodFailurePolicy, SuccessPolicy
from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class JobSpec(Object):
    parallelism: Annotated[Int32 | None, Field(1, minimum=0)] = None
    completions: Annotated[Int32 | None, Field(2, minimum=0)] = None
    activeDeadlineSeconds: Annotated[Int64 | None, Field(3, minimum=0)] = None
    podFailurePolicy: Annotated[PodFailurePolicy | None, Field(11)] = None
    successPolicy: Annotated[SuccessPolicy | None, Field(16)] = None
    backoffLimit: Annotated[Int32 | None, Field(7, minimum=0)] = None
    backoffLimitPerIndex: Annotated[Int32 | None, Field(12, minimum=0)] = None
    maxFailedIndexes: Annotated[Int32 | None, Field(13, minimum=0)] = None
    selector: Annotated[LabelSelector | None, Field(4)] = None
    manualSelector: Annotated[bool | None, Field(5)] = None
    template: Annotated[PodTemplateSpec, Field(6, required=True)] = always(PodTemplateSpec)
    ttlSecondsAfterFinished: Annotated[Int32 | None, Field(8, minimum=0)] = None
    completionMode: Annotated[str | None, Field(9, enum=("NonIndexed", "Indexed"))] = None
    suspend: Annotated[bool | None, Field(10)] = None
    podReplacementPolicy: Annotated[str | None, Field(14, enum=("TerminatingOrFailed", "Failed"))] = None
    managedBy: Annotated[str | None, Field(15)] = None


class JobCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, Field(3)] = None
    lastTransitionTime: Annotated[Time | None, Field(4)] = None
    reason: Annotated[str, Field(5)] = ""
    message: Annotated[str, Field(6)] = ""


class UncountedTerminatedPods(Object):
    succeeded: Annotated[tuple[str, ...], Field(1, list="set")] = ()
    failed: Annotated[tuple[str, ...], Field(2, list="set")] = ()


class JobStatus(Object):
    conditions: Annotated[tuple[JobCondition, ...], Field(1, list="atomic", merge="merge", key="type")] = ()
    startTime: Annotated[Time | None, Field(2)] = None
    completionTime: Annotated[Time | None, Field(3)] = None
    active: Annotated[Int32, Field(4, minimum=0)] = 0
    succeeded: Annotated[Int32, Field(5, minimum=0)] = 0
    failed: Annotated[Int32, Field(6, minimum=0)] = 0
    terminating: Annotated[Int32 | None, Field(11)] = None
    completedIndexes: Annotated[str, Field(7)] = ""
    failedIndexes: Annotated[str | None, Field(10)] = None
    uncountedTerminatedPods: Annotated[UncountedTerminatedPods | None, Field(8)] = None
    ready: Annotated[Int32 | None, Field(9)] = None


class Job(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("batch/v1")
    kind: str = fixed("Job")
    spec: Annotated[JobSpec, Field(2)] = always(JobSpec)
    status: Annotated[JobStatus, Field(3)] = always(JobStatus)


class JobList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("batch/v1")
    kind: str = fixed("JobList")
    items: Annotated[tuple[Job, ...], Field(2, required=True)] = always(no_items)


class JobTemplateSpec(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    spec: Annotated[JobSpec, Field(2)] = always(JobSpec)
