"""The resources of batch/v1."""

from typing import Any

from proa.api.batch_v1 import CronJob, CronJobList, Job, JobList, columns
from proa.api.batch_v1.strategies import CronJobStrategy, JobStrategy
from proa.machinery.resource import STATUS, Resource

CRON_JOBS = Resource(
    group="batch",
    version="v1",
    plural="cronjobs",
    type=CronJob,
    list_type=CronJobList,
    singular="cronjob",
    short_names=("cj",),
    categories=("all",),
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.CRON_JOBS,
    strategy=CronJobStrategy(),
)

JOBS = Resource(
    group="batch",
    version="v1",
    plural="jobs",
    type=Job,
    list_type=JobList,
    singular="job",
    categories=("all",),
    subresources=(STATUS,),
    fields=("status.successful",),
    has_generation=True,
    columns=columns.JOBS,
    strategy=JobStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (CRON_JOBS, JOBS)
