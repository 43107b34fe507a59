"""What a pod's spec and state say of its containers: policies, readiness, completion. Pure questions, no decisions."""

from __future__ import annotations

import hashlib

from proa.api.core_v1 import Container, EphemeralContainer, Pod
from proa.kubelet.state import PodState, ProbeKind, Work
from proa.runtime.protocol import ContainerState, ContainerStatus

DEFAULT_GRACE = 30.0

# What a spec says of its containers ------------------------------------------------------------------------------


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others (KEP-753); asked of init containers only."""
    return container.restartPolicy == "Always"


def find_container(pod: Pod, name: str) -> Container | EphemeralContainer | None:
    spec = pod.spec
    for group in (spec.containers, spec.initContainers, spec.ephemeralContainers):
        for each in group:
            if each.name == name:
                return each
    return None


def container_hash(container: Container | EphemeralContainer) -> str:
    """Changes when a change of the spec in place must restart the container: only its image can."""
    return hashlib.sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:16]


def should_restart(pod: Pod, container: Container, last: ContainerStatus) -> bool:
    """After `last` exited: by the container's own rules and policy (KEP-5307), else the pod's."""
    for rule in container.restartPolicyRules:
        if rule.exitCodes is not None and rule.action == "Restart":
            listed = last.exit_code in rule.exitCodes.values
            if listed == (rule.exitCodes.operator == "In"):
                return True
    policy = container.restartPolicy or pod.spec.restartPolicy
    if policy == "Never":
        return False
    return policy != "OnFailure" or last.exit_code != 0


def next_attempt(pod: Pod, name: str, last: ContainerStatus | None) -> int:
    """How often the container was started before. Where the runtime has forgotten (a reboot), the status has not."""
    if last is not None:
        return last.config.attempt + 1
    told = (*pod.status.containerStatuses, *pod.status.initContainerStatuses)
    return next((each.restartCount + 1 for each in told if each.name == name and each.containerID), 0)


def grace_period(pod: Pod) -> float:
    """Seconds a container of this pod has between the stop signal and SIGKILL."""
    metadata, spec = pod.metadata, pod.spec
    if metadata.deletionTimestamp is not None and metadata.deletionGracePeriodSeconds is not None:
        return max(1.0, float(metadata.deletionGracePeriodSeconds))
    if spec.terminationGracePeriodSeconds is None:
        return DEFAULT_GRACE
    return 1.0 if spec.terminationGracePeriodSeconds < 0 else float(spec.terminationGracePeriodSeconds)


# What the state says of a container -------------------------------------------------------------------------------


def exited(status: ContainerStatus | None) -> bool:
    return status is not None and status.state in (ContainerState.EXITED, ContainerState.UNKNOWN)


def running(status: ContainerStatus | None) -> bool:
    return status is not None and status.state is ContainerState.RUNNING


def is_started(pod: Pod, container: Container | EphemeralContainer, state: PodState) -> bool:
    """Running, its postStart hook done and its startup probe passed (ContainerStatus.started)."""
    status = state.current(container.name)
    if status is None or not running(status) or state.busy(Work.START, container.name):
        return False
    if container.startupProbe is None:
        return True
    return state.probes.get((status.id, ProbeKind.STARTUP), _reported(pod, status.id, "started"))


def is_ready(pod: Pod, container: Container | EphemeralContainer, state: PodState) -> bool:
    """Started, and its readiness probe (if any) passes (ContainerStatus.ready)."""
    status = state.current(container.name)
    if status is None or not is_started(pod, container, state):
        return False
    if container.readinessProbe is None:
        return True
    return state.probes.get((status.id, ProbeKind.READINESS), _reported(pod, status.id, "ready"))


def _reported(pod: Pod, container_id: str, field_name: str) -> bool:
    """What an earlier run of this agent wrote about the very same container: probes of a new one start from there."""
    for group in (pod.status.containerStatuses, pod.status.initContainerStatuses):
        for each in group:
            if each.containerID.endswith(container_id):
                return bool(getattr(each, field_name))
    return False


def initialised(pod: Pod, state: PodState) -> bool:
    """Every init container has done its part in the current sandbox."""
    if any(state.current(each.name) for each in pod.spec.containers):
        return True
    for container in pod.spec.initContainers:
        if is_sidecar(container):
            if not is_started(pod, container, state):
                return False
            continue
        status = state.current(container.name)
        if status is None or not exited(status) or status.exit_code != 0:
            return False
    return True


def init_failed(pod: Pod, state: PodState) -> bool:
    """An init container failed for good."""
    if any(state.newest(each.name) for each in pod.spec.containers):
        return False
    for container in pod.spec.initContainers:
        last = state.newest(container.name)
        if is_sidecar(container) or last is None or not exited(last) or last.exit_code == 0:
            continue
        if not should_restart(pod, container, last):
            return True
    return False


def completed(pod: Pod, state: PodState) -> bool:
    """Every container has run to its end and none may run again."""
    if init_failed(pod, state):
        return True
    for container in pod.spec.containers:
        last = state.newest(container.name)
        if last is None or not exited(last) or should_restart(pod, container, last):
            return False
    return True


def is_terminal(pod: Pod) -> bool:
    """Its reported phase is final: such a pod never runs again."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_terminating(pod: Pod, state: PodState) -> bool:
    """Its containers must stop, or have."""
    return (
        pod.metadata.deletionTimestamp is not None
        or state.gone
        or state.ended is not None
        or is_terminal(pod)
        or completed(pod, state)
    )
