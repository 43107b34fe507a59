"""Jobs (batch/v1): pods that are to succeed, a number of times."""

from proa.controllers.job.controller import JobController
from proa.controllers.job.leftovers import JobPodLeftoversController
from proa.controllers.job.ttl import JobTTLController

__all__ = ["JobController", "JobPodLeftoversController", "JobTTLController"]
