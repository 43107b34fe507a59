"""batch/v1 declarations: cron jobs."""

from typing import Annotated

from proa.api.batch_v1.job import JobTemplateSpec
from proa.api.core_v1.reference import ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class CronJobSpec(Object):
    schedule: Annotated[str, Field(1, required=True)] = always(str)
    timeZone: Annotated[str | None, Field(8)] = None
    startingDeadlineSeconds: Annotated[Int64 | None, Field(2, minimum=0)] = None
    concurrencyPolicy: Annotated[str, Field(3, default="Allow", enum=("Allow", "Forbid", "Replace"))] = ""
    suspend: Annotated[bool | None, Field(4, default=False)] = None
    jobTemplate: Annotated[JobTemplateSpec, Field(5, required=True)] = always(JobTemplateSpec)
    successfulJobsHistoryLimit: Annotated[Int32 | None, Field(6, default=3, minimum=0)] = None
    failedJobsHistoryLimit: Annotated[Int32 | None, Field(7, default=1, minimum=0)] = None


class CronJobStatus(Object):
    active: Annotated[tuple[ObjectReference, ...], Field(1, list="atomic")] = ()
    lastScheduleTime: Annotated[Time | None, Field(4)] = None
    lastSuccessfulTime: Annotated[Time | None, Field(5)] = None


class CronJob(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("batch/v1")
    kind: str = fixed("CronJob")
    spec: Annotated[CronJobSpec, Field(2, required=True)] = always(CronJobSpec)
    status: Annotated[CronJobStatus, Field(3)] = always(CronJobStatus)


class CronJobList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("batch/v1")
    kind: str = fixed("CronJobList")
    items: Annotated[tuple[CronJob, ...], Field(2, required=True)] = always(no_items)
