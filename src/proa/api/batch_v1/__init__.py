"""batch/v1: jobs and cron jobs."""

from proa.api.batch_v1.cron_job import CronJob, CronJobList, CronJobSpec, CronJobStatus
from proa.api.batch_v1.job import (
    Job,
    JobCondition,
    JobList,
    JobSpec,
    JobStatus,
    JobTemplateSpec,
    UncountedTerminatedPods,
)
from proa.api.batch_v1.policies import (
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)

__all__ = [
    "CronJob",
    "CronJobList",
    "CronJobSpec",
    "CronJobStatus",
    "Job",
    "JobCondition",
    "JobList",
    "JobSpec",
    "JobStatus",
    "JobTemplateSpec",
    "PodFailurePolicy",
    "PodFailurePolicyOnExitCodesRequirement",
    "PodFailurePolicyOnPodConditionsPattern",
    "PodFailurePolicyRule",
    "SuccessPolicy",
    "SuccessPolicyRule",
    "UncountedTerminatedPods",
]
