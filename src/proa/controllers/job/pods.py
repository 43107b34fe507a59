"""The pods a Job makes: of an indexed Job each knows its index, by annotation, label, name and variable. Pure."""

from __future__ import annotations

import msgspec

from proa.api.batch_v1 import Job
from proa.api.core_v1 import Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod
from proa.control.pods import GENERATE_NAME_LIMIT, pod_from_template
from proa.controllers.job.indexes import INDEX
from proa.controllers.job.tally import FAILURE_COUNT, TRACKING, Tally, failures_of, is_indexed

_VARIABLE = EnvVar(
    name="JOB_COMPLETION_INDEX",
    valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath=f"metadata.labels['{INDEX}']")),
)


def new_pod(job: Job, tally: Tally, index: int | None) -> Pod:
    """A pod of the Job; `index` of an indexed one."""
    pod = pod_from_template(job, job.spec.template)
    meta, spec = pod.metadata, pod.spec
    finalizers = (*meta.finalizers, TRACKING)
    if index is None or not is_indexed(job):
        return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(meta, finalizers=finalizers))
    annotations = {**meta.annotations, INDEX: str(index)}
    if job.spec.backoffLimitPerIndex is not None:
        last = tally.last_failure.get(index)
        annotations[FAILURE_COUNT] = str(failures_of(last) + 1 if last is not None else 0)
    meta = msgspec.structs.replace(
        meta,
        generateName=f"{job.metadata.name}-{index}-"[:GENERATE_NAME_LIMIT],
        annotations=annotations,
        labels={**meta.labels, INDEX: str(index)},
        finalizers=finalizers,
    )
    spec = msgspec.structs.replace(
        spec,
        hostname=spec.hostname or f"{job.metadata.name}-{index}",
        containers=tuple(map(_told, spec.containers)),
        initContainers=tuple(map(_told, spec.initContainers)),
    )
    return msgspec.structs.replace(pod, metadata=meta, spec=spec)


def _told(container: Container) -> Container:
    if any(each.name == _VARIABLE.name for each in container.env):
        return container
    return msgspec.structs.replace(container, env=(*container.env, _VARIABLE))
