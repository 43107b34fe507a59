"""The pod state machine: from a pod and what is known of it to what must be done now. Pure.

Level-triggered: `decide` looks at the whole state every time and keeps nothing between calls, so an agent that was
restarted, or missed an event, decides as if nothing had happened. Work under way is part of the state and is never
asked for twice. How phases and conditions are reported is `status`; how instructions are carried out is `worker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from proa.api.core_v1 import Container, EphemeralContainer, Pod, Probe
from proa.kubelet.facts import (
    container_hash,
    exited,
    grace_period,
    initialised,
    is_sidecar,
    is_started,
    is_terminating,
    next_attempt,
    running,
    should_restart,
)
from proa.kubelet.labels import CONTAINER_HASH
from proa.kubelet.state import (
    CreateSandbox,
    FinishDeletion,
    Instruction,
    KillContainer,
    Operation,
    PodState,
    ProbeKey,
    ProbeKind,
    PullImage,
    Rejection,
    RemoveContainer,
    SetUpVolumes,
    StartContainer,
    StopSandbox,
    TearDownVolumes,
    Work,
    crash_delay,
)
from proa.machinery.timestamps import to_epoch
from proa.runtime.protocol import ContainerState, ContainerStatus, SandboxState

# How long a failed pull is shown as ErrImagePull before it is shown as ImagePullBackOff.
PULL_ERROR_SHOWN = 2.0
# A stop under way is replaced only by one that ends this much (seconds) sooner.
SOONER = 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet (ContainerStateWaiting)."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    cancel: operations under way that nobody wants any longer. probes: every probe that should be running. waiting: why
    the containers that do not run do not. wake_at: when to decide again although nothing has happened. end: the pod
    must end for this reason. leaving: nothing runs any more and what is left is being removed: its story is told.
    """

    instructions: tuple[Instruction, ...] = ()
    cancel: frozenset[Operation] = frozenset()
    probes: frozenset[ProbeKey] = frozenset()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    wake_at: float | None = None
    end: Rejection | None = None
    leaving: bool = False


# Deciding -----------------------------------------------------------------------------------------------------------


def decide(pod: Pod, state: PodState, now: float) -> Plan:
    """What must be done for `pod` at `now`."""
    if state.deleted:
        return Plan()
    if is_terminating(pod, state):
        return _terminate(pod, state, now)
    deadline = _deadline(pod, state)
    if deadline is not None and now >= deadline:
        return Plan(end=Rejection("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"))
    return _Running(pod, state, now).plan(deadline)


def _deadline(pod: Pod, state: PodState) -> float | None:
    if pod.spec.activeDeadlineSeconds is None:
        return None
    started = to_epoch(pod.status.startTime) if pod.status.startTime else state.seen_at
    return started + pod.spec.activeDeadlineSeconds


def _probes(pod: Pod, state: PodState, *, terminating: bool) -> frozenset[ProbeKey]:
    """The probes to run: startup alone until it passes, then readiness and liveness; on its way out only readiness."""
    wanted: set[ProbeKey] = set()
    sidecars = [each for each in pod.spec.initContainers if is_sidecar(each)]
    for container in (*sidecars, *pod.spec.containers):
        status = state.current(container.name)
        if status is None or not running(status) or state.busy(Work.START, container.name):
            continue
        if container.startupProbe is not None and not is_started(pod, container, state):
            if not terminating and state.probes.get((status.id, ProbeKind.STARTUP)) is None:
                wanted.add((status.id, ProbeKind.STARTUP))
            continue
        if container.readinessProbe is not None:
            wanted.add((status.id, ProbeKind.READINESS))
        failed = state.probes.get((status.id, ProbeKind.LIVENESS)) is False
        if container.livenessProbe is not None and not terminating and not failed:
            wanted.add((status.id, ProbeKind.LIVENESS))
    return frozenset(wanted)


def _retry_at(state: PodState, instruction_work: Work, name: str, now: float) -> float | None:
    """None when the work may be tried now, else when."""
    failure = state.failure(instruction_work, name)
    return failure.retry_at if failure is not None and failure.retry_at > now else None


class _Collector:
    """Gathers instructions, minding what is under way and what is in backoff."""

    def __init__(self, state: PodState, now: float) -> None:
        self.state = state
        self.now = now
        self.instructions: list[Instruction] = []
        self.wake: list[float] = []

    def add(self, instruction: Instruction, work: Work, name: str = "") -> bool:
        """Ask for it unless it is under way or failed a moment ago; True when it was asked for."""
        if self.state.busy(work, name):
            return False
        retry_at = _retry_at(self.state, work, name, self.now)
        if retry_at is not None:
            self.wake.append(retry_at)
            return False
        self.instructions.append(instruction)
        return True

    def kill(self, status: ContainerStatus, grace: float, message: str) -> None:
        """Stop a container, or hasten its stop when less time is left now than when it was begun."""
        name = status.config.name
        by = self.state.stopping.get(status.id)
        if self.state.busy(Work.STOP, name) and by is not None:
            if self.now + grace < by - SOONER:
                self.instructions.append(KillContainer(name, status.id, grace, "", hook=False))
            return
        self.add(KillContainer(name, status.id, grace, message), Work.STOP, name)

    def wake_at(self) -> float | None:
        return min(self.wake, default=None)


# Ending --------------------------------------------------------------------------------

_ABANDONED = (Work.VOLUMES, Work.IMAGE, Work.START)


def _terminate(pod: Pod, state: PodState, now: float) -> Plan:
    todo = _Collector(state, now)
    cancel = frozenset(each for each in state.under_way if each[0] in _ABANDONED)
    probes = _probes(pod, state, terminating=True)
    if cancel or state.busy(Work.SANDBOX):
        # What they were making is not known before they have ended; what is known can be stopped already.
        _stop_containers(pod, state, now, todo)
        return Plan(tuple(todo.instructions), cancel=cancel, probes=probes, wake_at=todo.wake_at())
    if state.alive:
        _stop_containers(pod, state, now, todo)
        return Plan(tuple(todo.instructions), probes=probes, wake_at=todo.wake_at())
    leaving = state.gone or pod.metadata.deletionTimestamp is not None
    if any(work is Work.STOP for work, _ in state.under_way):
        return Plan()
    sandboxes = (*state.old_sandboxes, *((state.sandbox,) if state.sandbox else ()))
    for sandbox in sandboxes:
        if leaving or sandbox.state is SandboxState.READY:
            todo.add(StopSandbox(sandbox.id, remove=leaving), Work.STOP_SANDBOX, sandbox.id)
    if not state.torn_down:
        todo.add(TearDownVolumes(), Work.TEAR_DOWN)
    if leaving and not sandboxes and state.torn_down and not state.under_way:
        todo.add(FinishDeletion(), Work.FINISH)
    return Plan(tuple(todo.instructions), wake_at=todo.wake_at(), leaving=leaving)


def _stop_containers(pod: Pod, state: PodState, now: float, todo: _Collector) -> None:
    """The main containers all at once, then the sidecars in reverse order, one after the other (KEP-753)."""
    grace = grace_period(pod)
    order = [each.name for each in pod.spec.initContainers if is_sidecar(each)]
    sidecars = {name: index for index, name in enumerate(order)}
    first = [each for each in state.alive if each.config.name not in sidecars]
    for each in first:
        todo.kill(each, grace, f"Stopping container {each.config.name}")
    if first:
        return
    remaining = grace
    if pod.metadata.deletionTimestamp is not None:
        remaining = min(grace, max(1.0, to_epoch(pod.metadata.deletionTimestamp) - now))
    left = sorted(state.alive, key=lambda each: sidecars[each.config.name])
    if left:
        todo.kill(left[-1], remaining, f"Stopping container {left[-1].config.name}")


# Running --------------------------------------------------------------------------------


class _Running:
    """One decision for a pod that is to run."""

    def __init__(self, pod: Pod, state: PodState, now: float) -> None:
        self.pod = pod
        self.state = state
        self.now = now
        self.todo = _Collector(state, now)
        self.waiting: dict[str, Waiting] = {}
        self.start_taken = any(work is Work.START for work, _ in state.under_way)

    def plan(self, deadline: float | None) -> Plan:
        if deadline is not None:
            self.todo.wake.append(deadline)
        self._default_waiting()
        state = self.state
        if not state.volumes_ready:
            self.todo.add(SetUpVolumes(), Work.VOLUMES)
        if self._sandbox():
            self._restarts_of_running()
            wanted: list[Container | EphemeralContainer] = self._wanted()
        else:
            wanted = list(self._first())
        for container in wanted:
            self._start(container)
        self._collect_garbage()
        return Plan(
            tuple(self.todo.instructions),
            probes=_probes(self.pod, state, terminating=False),
            waiting=self.waiting,
            wake_at=self.todo.wake_at(),
        )

    def _default_waiting(self) -> None:
        spec = self.pod.spec
        init_done = initialised(self.pod, self.state)
        reason = "PodInitializing" if spec.initContainers else "ContainerCreating"
        for container in spec.initContainers:
            self.waiting[container.name] = Waiting("PodInitializing")
        names = [each.name for each in spec.containers] + [each.name for each in spec.ephemeralContainers]
        for name in names:
            self.waiting[name] = Waiting("PodInitializing" if not init_done else reason)

    def _sandbox(self) -> bool:
        """True when there is a live sandbox; else what it takes to get one is asked for."""
        sandbox = self.state.sandbox
        if sandbox is not None and sandbox.state is SandboxState.READY:
            return True
        if sandbox is not None:
            for each in self.state.alive:
                self.todo.kill(each, grace_period(self.pod), "Pod sandbox changed, it will be killed and re-created.")
            if self.state.alive or self.state.busy(Work.STOP_SANDBOX, sandbox.id):
                return False
        attempt = sandbox.config.attempt + 1 if sandbox else 0
        self.todo.add(CreateSandbox(attempt), Work.SANDBOX)
        return False

    def _first(self) -> Sequence[Container]:
        """While there is no sandbox the images of what will start first can be pulled already."""
        spec = self.pod.spec
        return spec.initContainers[:1] or [
            each for each in spec.containers if self._wants_start(each, self.state.newest(each.name))
        ]

    def _wanted(self) -> list[Container | EphemeralContainer]:
        """The containers that should be started now, in order."""
        wanted: list[Container | EphemeralContainer] = [
            each for each in self.pod.spec.ephemeralContainers if self.state.newest(each.name) is None
        ]
        if any(self.state.current(each.name) for each in self.pod.spec.containers):
            inits: Iterable[Container] = (each for each in self.pod.spec.initContainers if is_sidecar(each))
            wanted += [each for each in inits if self._absent(each)]
        else:
            for container in self.pod.spec.initContainers:
                if is_sidecar(container):
                    if self._absent(container):
                        return [*wanted, container]
                    if not is_started(self.pod, container, self.state):
                        return wanted
                    continue
                status = self.state.current(container.name)
                if status is None or not exited(status) or status.exit_code != 0:
                    return [*wanted, container] if self._absent(container) else wanted
        wanted += [each for each in self.pod.spec.containers if self._wants_start(each, self.state.newest(each.name))]
        return wanted

    def _absent(self, container: Container) -> bool:
        """It does not run in the current sandbox, nor is about to."""
        if self.state.busy(Work.START, container.name):
            return False
        status = self.state.current(container.name)
        return status is None or not running(status)

    def _wants_start(self, container: Container, last: ContainerStatus | None) -> bool:
        if self.state.busy(Work.START, container.name):
            return False
        if last is None or last.state is ContainerState.CREATED:
            return True
        if running(last):
            return False
        return should_restart(self.pod, container, last)

    def _restarts_of_running(self) -> None:
        """Kill what runs but must not go on as it is: a changed image, a failed liveness or startup probe."""
        spec = self.pod.spec
        for container in (*spec.initContainers, *spec.containers):
            status = self.state.current(container.name)
            if status is None or not running(status) or self.state.busy(Work.START, container.name):
                continue
            made_from = status.config.annotations.get(CONTAINER_HASH)
            if made_from is not None and made_from != container_hash(container):
                message = f"Container {container.name} definition changed, will be restarted"
                self.todo.kill(status, grace_period(self.pod), message)
                continue
            for kind, probe in (
                (ProbeKind.LIVENESS, container.livenessProbe),
                (ProbeKind.STARTUP, container.startupProbe),
            ):
                if probe is not None and self.state.probes.get((status.id, kind)) is False:
                    message = f"Container {container.name} failed {kind.value} probe, will be restarted"
                    self.todo.kill(status, self._probe_grace(probe), message)
                    break

    def _probe_grace(self, probe: Probe) -> float:
        if probe.terminationGracePeriodSeconds is not None:
            return float(probe.terminationGracePeriodSeconds)
        return grace_period(self.pod)

    def _start(self, container: Container | EphemeralContainer) -> None:
        """One container on its way: crash backoff, image, then its start, one at a time and in order."""
        name, state = container.name, self.state
        last = state.newest(name)
        if last is not None and exited(last) and self._in_crash_backoff(name, last):
            return
        start_failure = state.failure(Work.START, name)
        if start_failure is not None:
            self.waiting[name] = Waiting(start_failure.reason, start_failure.message)
        if name not in state.images:
            pull_failure = state.failure(Work.IMAGE, name)
            if pull_failure is not None:
                self.waiting[name] = self._pull_waiting(container, pull_failure.reason, pull_failure.message)
            elif start_failure is None or start_failure.retry_at <= self.now:
                self.start_taken = True  # those behind it wait their turn
            if start_failure is None or _retry_at(state, Work.START, name, self.now) is None:
                self.todo.add(PullImage(name), Work.IMAGE, name)
            else:
                self.todo.wake.append(start_failure.retry_at)
            return
        if self.start_taken or not state.volumes_ready:
            return
        if state.sandbox is None or state.sandbox.state is not SandboxState.READY:
            return
        if state.busy(Work.STOP, name):
            return
        if self.todo.add(StartContainer(name, next_attempt(self.pod, name, last)), Work.START, name):
            self.start_taken = True

    def _in_crash_backoff(self, name: str, last: ContainerStatus) -> bool:
        delay = crash_delay(self.state.crashes.get(name), last.finished_at)
        until = last.finished_at + delay
        if self.now >= until:
            return False
        meta = self.pod.metadata
        self.waiting[name] = Waiting(
            "CrashLoopBackOff",
            f"back-off {_short(delay)} restarting failed container={name} pod={meta.name}_{meta.namespace}({meta.uid})",
        )
        self.todo.wake.append(until)
        return True

    def _pull_waiting(self, container: Container | EphemeralContainer, reason: str, message: str) -> Waiting:
        failure = self.state.failures[(Work.IMAGE, container.name)]
        shown_until = failure.at + PULL_ERROR_SHOWN
        if reason in ("InvalidImageName", "ErrImageNeverPull") or self.now < shown_until:
            if reason not in ("InvalidImageName", "ErrImageNeverPull"):
                self.todo.wake.append(shown_until)
            return Waiting(reason, message)
        return Waiting("ImagePullBackOff", f'Back-off pulling image "{container.image}": {reason}: {message}')

    def _collect_garbage(self) -> None:
        """Keep one dead incarnation beside the newest (for its log); forget older ones and empty dead sandboxes."""
        state = self.state
        for name in {each.config.name for each in state.containers}:
            if state.busy(Work.START, name):
                continue
            newest, previous = state.newest(name), state.previous(name)
            for each in state.containers:
                unused = each is not previous if exited(each) else each.state is ContainerState.CREATED
                if each.config.name == name and each is not newest and unused:
                    self.todo.add(RemoveContainer(name, each.id), Work.REMOVE, each.id)
        for sandbox in state.old_sandboxes:
            if not any(each.sandbox_id == sandbox.id for each in state.containers):
                self.todo.add(StopSandbox(sandbox.id, remove=True), Work.STOP_SANDBOX, sandbox.id)
            elif sandbox.state is SandboxState.READY:
                self.todo.add(StopSandbox(sandbox.id, remove=False), Work.STOP_SANDBOX, sandbox.id)


def _short(seconds: float) -> str:
    """A duration as Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
