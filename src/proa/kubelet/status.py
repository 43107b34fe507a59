"""PodStatus as a pure function of the pod, its state and the plan: phase, conditions, container statuses.

Conditions that others own (readiness gates, DisruptionTarget) are kept as they are. Writing the status to the API is
`statuswriter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import msgspec

from proa.api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    EphemeralContainer,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
    ResourceRequirements,
    VolumeMountStatus,
)
from proa.kubelet import labels
from proa.kubelet.facts import (
    exited,
    init_failed,
    initialised,
    is_ready,
    is_sidecar,
    is_started,
    is_terminal,
    is_terminating,
    running,
    should_restart,
)
from proa.kubelet.podstate import Plan, Waiting
from proa.kubelet.state import PodState
from proa.machinery.timestamps import from_epoch
from proa.rules.qos import qos_class
from proa.runtime import protocol as runtime

CONTAINER_ID_SCHEME = "proa://"

# A container that waits for one of these keeps its last run in lastState; others wait for their first run.
_ORDINARY_WAITING = ("ContainerCreating", "PodInitializing")

RESIZE_PENDING = "PodResizePending"
OWNED_CONDITIONS = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    RESIZE_PENDING,
)


@dataclass(frozen=True, slots=True)
class Host:
    """The node's own addresses, primary first (PodStatus.hostIPs)."""

    ips: tuple[str, ...] = ()


def compute_status(pod: Pod, state: PodState, plan: Plan, host: Host, now: float) -> PodStatus:
    """What the pod's status should be now; transition times are kept where nothing changed."""
    old = pod.status
    generation = pod.metadata.generation
    started = old.startTime or from_epoch(state.seen_at)
    ips = _pod_ips(pod, state, host)
    if state.ended is not None and not state.containers and not old.containerStatuses:
        # It was refused or ended before anything was made: there are no containers to speak of.
        return PodStatus(
            observedGeneration=generation,
            phase="Failed",
            conditions=_conditions(pod, state, "Failed", started, now),
            reason=state.ended.reason,
            message=state.ended.message,
            hostIP=host.ips[0] if host.ips else "",
            hostIPs=tuple(HostIP(ip=ip) for ip in host.ips),
            startTime=started,
            qosClass=old.qosClass or qos_class(pod.spec),
        )
    phase = pod_phase(pod, state)
    ended = state.ended if phase == "Failed" else None
    reports = _Reports(pod, state, plan)
    return PodStatus(
        observedGeneration=generation,
        phase=phase,
        conditions=_conditions(pod, state, phase, started, now),
        reason=ended.reason if ended else old.reason,
        message=ended.message if ended else old.message,
        nominatedNodeName=old.nominatedNodeName,
        hostIP=host.ips[0] if host.ips else "",
        hostIPs=tuple(HostIP(ip=ip) for ip in host.ips),
        podIP=ips[0] if ips else "",
        podIPs=tuple(PodIP(ip=ip) for ip in ips),
        startTime=started,
        initContainerStatuses=tuple(reports.init(each) for each in pod.spec.initContainers),
        containerStatuses=tuple(reports.main(each) for each in pod.spec.containers),
        ephemeralContainerStatuses=tuple(reports.ephemeral(each) for each in pod.spec.ephemeralContainers),
        qosClass=old.qosClass or qos_class(pod.spec),
        resize=old.resize,
        resourceClaimStatuses=old.resourceClaimStatuses,
        extendedResourceClaimStatus=old.extendedResourceClaimStatus,
        nodeAllocatableResourceClaimStatuses=old.nodeAllocatableResourceClaimStatuses,
    )


def pod_phase(pod: Pod, state: PodState) -> str:
    """Pending, Running, Succeeded or Failed (core/v1 PodStatus.phase). Final phases wait until nothing runs."""
    if is_terminal(pod):
        return pod.status.phase
    alive = any(running(each) for each in state.containers)
    if not alive:
        if state.ended is not None or init_failed(pod, state):
            return "Failed"
        if is_terminating(pod, state) and not _all_waiting(pod, state):
            return "Succeeded" if _all_succeeded(pod, state) else "Failed"
    if not initialised(pod, state) and not any(state.newest(each.name) for each in pod.spec.containers):
        return "Pending"
    began = [state.newest(each.name) for each in pod.spec.containers]
    if any(each is None or each.state is runtime.ContainerState.CREATED for each in began):
        return "Running" if pod.status.phase == "Running" else "Pending"
    return "Running"


def _all_waiting(pod: Pod, state: PodState) -> bool:
    return not any(exited(state.newest(each.name)) for each in pod.spec.containers)


def _all_succeeded(pod: Pod, state: PodState) -> bool:
    last = [state.newest(each.name) for each in pod.spec.containers]
    return all(each is not None and exited(each) and each.exit_code == 0 for each in last)


def _pod_ips(pod: Pod, state: PodState, host: Host) -> tuple[str, ...]:
    if pod.spec.hostNetwork:
        return host.ips if state.sandbox is not None or pod.status.podIP else ()
    if state.sandbox is not None and state.sandbox.ips:
        return state.sandbox.ips
    # A pod whose sandbox has gone keeps the address it had; nobody may think it never had one.
    return tuple(each.ip for each in pod.status.podIPs)


# Conditions ----------------------------------------------------------------------------------------------------


def _conditions(pod: Pod, state: PodState, phase: str, started: str, now: float) -> tuple[PodCondition, ...]:
    sandbox = state.sandbox
    has_sandbox = sandbox is not None and sandbox.state is runtime.SandboxState.READY
    has_network = has_sandbox and (pod.spec.hostNetwork or bool(sandbox and sandbox.ips))
    ready, reason, message = _containers_ready(pod, state, phase)
    containers_ready = (ready, reason, message)
    if ready:
        ready, reason, message = _gates(pod)
    wanted = {
        "PodReadyToStartContainers": (has_network, "", ""),
        "Initialized": _initialized(pod, state, phase),
        "Ready": (ready, reason, message),
        "ContainersReady": containers_ready,
        "PodScheduled": (True, "", ""),
    }
    resized = _resized(pod, state)
    if resized:
        text = f"in-place resize is not supported by this node: {', '.join(resized)} run as they were started"
        wanted[RESIZE_PENDING] = (True, "Infeasible", text)
    before = {each.type: each for each in pod.status.conditions}
    now_time = from_epoch(now)
    made = []
    for type_, (value, why, text) in wanted.items():
        status = "True" if value else "False"
        old = before.get(type_)
        since = old.lastTransitionTime if old is not None and old.status == status else now_time
        if type_ == "PodScheduled" and old is None:
            since = started
        made.append(
            PodCondition(
                type=type_,
                status=status,
                reason=why,
                message=text,
                lastTransitionTime=since,
                observedGeneration=pod.metadata.generation,
            )
        )
    foreign = (each for each in pod.status.conditions if each.type not in OWNED_CONDITIONS)
    return (*made, *foreign)


def _resized(pod: Pod, state: PodState) -> list[str]:
    """The running containers whose spec asks for other resources than they were given."""
    found = []
    for each in (*pod.spec.initContainers, *pod.spec.containers):
        last = state.current(each.name)
        if running(last) and resources_given(each, last) != each.resources:
            found.append(each.name)
    return found


def resources_given(
    container: Container | EphemeralContainer, status: runtime.ContainerStatus | None
) -> ResourceRequirements:
    """What a container was started with; by its spec where that was not recorded."""
    text = status.config.annotations.get(labels.RESOURCES) if status is not None else None
    return container.resources if text is None else msgspec.json.decode(text, type=ResourceRequirements)


def _containers_ready(pod: Pod, state: PodState, phase: str) -> tuple[bool, str, str]:
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    if phase == "Failed":
        return False, "PodFailed", ""
    checked = [each for each in pod.spec.initContainers if is_sidecar(each)] + list(pod.spec.containers)
    unready = [each.name for each in checked if not is_ready(pod, each, state)]
    if unready:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return True, "", ""


def _gates(pod: Pod) -> tuple[bool, str, str]:
    missing = []
    conditions = {each.type: each.status for each in pod.status.conditions}
    for gate in pod.spec.readinessGates:
        status = conditions.get(gate.conditionType)
        if status is None:
            missing.append(f'corresponding condition of pod readiness gate "{gate.conditionType}" does not exist.')
        elif status != "True":
            missing.append(f'the status of pod readiness gate "{gate.conditionType}" is not "True", but {status}')
    if missing:
        return False, "ReadinessGatesNotReady", ", ".join(missing)
    return True, "", ""


def _initialized(pod: Pod, state: PodState, phase: str) -> tuple[bool, str, str]:
    if phase == "Succeeded":
        return True, "PodCompleted", ""
    if initialised(pod, state) or (is_terminal(pod) and _was_true(pod, "Initialized")):
        return True, "", ""
    incomplete = []
    for each in pod.spec.initContainers:
        status = state.current(each.name)
        done = is_started(pod, each, state) if is_sidecar(each) else exited(status) and status and not status.exit_code
        if not done:
            incomplete.append(each.name)
    return False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"


def _was_true(pod: Pod, type_: str) -> bool:
    return any(each.type == type_ and each.status == "True" for each in pod.status.conditions)


# Container statuses ------------------------------------------------------------------------------------------------


class _Reports:
    """Container statuses of one pod; those of containers the runtime has lost come from the last written status."""

    def __init__(self, pod: Pod, state: PodState, plan: Plan) -> None:
        self.pod = pod
        self.state = state
        self.plan = plan
        self.before: Mapping[str, ContainerStatus] = {
            each.name: each
            for group in (
                pod.status.initContainerStatuses,
                pod.status.containerStatuses,
                pod.status.ephemeralContainerStatuses,
            )
            for each in group
        }

    def main(self, container: Container) -> ContainerStatus:
        return self._report(container, is_ready(self.pod, container, self.state))

    def init(self, container: Container) -> ContainerStatus:
        if is_sidecar(container):
            return self.main(container)
        last = self.state.newest(container.name)
        return self._report(container, last is not None and exited(last) and last.exit_code == 0)

    def ephemeral(self, container: EphemeralContainer) -> ContainerStatus:
        return self._report(container, False)

    def _report(self, container: Container | EphemeralContainer, ready: bool) -> ContainerStatus:
        last = self.state.newest(container.name)
        before = self.before.get(container.name)
        if last is None and before is not None and before.containerID:
            return self._lost(before)
        state, last_state = self._states(container, last)
        given = resources_given(container, last)
        return ContainerStatus(
            name=container.name,
            state=state,
            lastState=last_state,
            ready=ready,
            restartCount=last.config.attempt if last else 0,
            image=last.config.image if last else container.image,
            imageID=last.image_id if last else "",
            containerID=CONTAINER_ID_SCHEME + last.id if last else "",
            started=is_started(self.pod, container, self.state),
            allocatedResources=given.requests if running(last) else {},
            resources=given if running(last) else None,
            volumeMounts=tuple(
                VolumeMountStatus(
                    name=each.name,
                    mountPath=each.mountPath,
                    readOnly=each.readOnly,
                    recursiveReadOnly="Disabled" if each.readOnly else None,
                )
                for each in container.volumeMounts
            ),
        )

    def _states(
        self, container: Container | EphemeralContainer, last: runtime.ContainerStatus | None
    ) -> tuple[ContainerState, ContainerState]:
        previous = self.state.previous(container.name)
        last_state = terminated(previous) if exited(previous) else ContainerState()
        waiting = self._planned(container.name)
        if last is not None and running(last):
            return ContainerState(running=ContainerStateRunning(startedAt=from_epoch(last.started_at))), last_state
        if last is not None and exited(last):
            here = self.state.current(container.name) is last
            stays = here or is_terminating(self.pod, self.state) or not self._runs_again(container, last)
            if waiting.reason in _ORDINARY_WAITING and stays:
                return terminated(last), last_state
            last_state = terminated(last)
        return ContainerState(waiting=_waiting(waiting)), last_state

    def _planned(self, name: str) -> Waiting:
        """What the plan has the container wait for; a plan that ends the pod says nothing of those never started."""
        never = Waiting("PodInitializing" if self.pod.spec.initContainers else "ContainerCreating")
        return self.plan.waiting.get(name, never)

    def _runs_again(self, container: Container | EphemeralContainer, last: runtime.ContainerStatus) -> bool:
        return isinstance(container, Container) and should_restart(self.pod, container, last)

    def _lost(self, before: ContainerStatus) -> ContainerStatus:
        """The runtime knows nothing of a container we reported: it ended, nobody knows how."""
        if before.state.terminated is not None:
            return before
        unknown = ContainerState(
            terminated=ContainerStateTerminated(
                exitCode=137,
                reason="ContainerStatusUnknown",
                message="The container could not be located when the pod was terminated",
                containerID=before.containerID,
            )
        )
        if is_terminating(self.pod, self.state):
            return _changed(before, state=unknown)
        waiting = self._planned(before.name)
        return _changed(before, state=ContainerState(waiting=_waiting(waiting)), lastState=unknown)


def _changed(
    before: ContainerStatus, *, state: ContainerState, lastState: ContainerState | None = None
) -> ContainerStatus:
    return msgspec.structs.replace(
        before, state=state, lastState=lastState or before.lastState, ready=False, started=False
    )


def _waiting(waiting: Waiting) -> ContainerStateWaiting:
    return ContainerStateWaiting(reason=waiting.reason, message=waiting.message)


def terminated(status: runtime.ContainerStatus | None) -> ContainerState:
    """The API's view of an exited container."""
    if status is None:
        return ContainerState()
    reason = status.reason or ("Completed" if status.exit_code == 0 else "Error")
    return ContainerState(
        terminated=ContainerStateTerminated(
            exitCode=status.exit_code,
            signal=status.signal,
            reason=reason,
            message=status.message,
            startedAt=from_epoch(status.started_at or status.created_at),
            finishedAt=from_epoch(status.finished_at),
            containerID=CONTAINER_ID_SCHEME + status.id,
        )
    )


def is_important(old: PodStatus, new: PodStatus) -> bool:
    """A change somebody waits for: the phase, readiness, or what a container came to; not progress on the way."""
    return _digest(old) != _digest(new)


def _digest(status: PodStatus) -> Sequence[object]:
    ready = any(each.type == "Ready" and each.status == "True" for each in status.conditions)
    containers = [
        (each.ready, each.restartCount, each.state.running is not None, each.state.terminated is not None)
        + ((each.state.waiting.reason,) if _is_trouble(each.state.waiting) else ())
        for each in (*status.initContainerStatuses, *status.containerStatuses, *status.ephemeralContainerStatuses)
    ]
    return status.phase or "Pending", status.reason, ready, [each for each in containers if each != _NOTHING]


_NOTHING = (False, 0, False, False)


def _is_trouble(waiting: ContainerStateWaiting | None) -> TypeGuard[ContainerStateWaiting]:
    return waiting is not None and waiting.reason not in _ORDINARY_WAITING
