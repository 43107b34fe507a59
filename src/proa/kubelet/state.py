"""What the kubelet knows of one pod beside its API object, and what it can decide to do: plain frozen values.

`PodState` changes only through its own transition methods, each of which returns a new state; `podstate.decide` turns a
state into instructions, and `worker` carries them out. No I/O, no asyncio, no clock: times are seconds since the epoch
and come in as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from proa.aio.backoff import Backoff
from proa.runtime.protocol import ContainerState, ContainerStatus, SandboxState, SandboxStatus

# Restarts of a crashing container (the first restart is immediate), forgotten after it ran this long.
CRASH_BACKOFF = Backoff(base=10.0, factor=2.0, cap=300.0)
CRASH_FORGOTTEN_AFTER = 600.0


class Work(Enum):
    """What may be under way for a pod; together with a container's name it identifies one operation."""

    VOLUMES = "volumes"
    SANDBOX = "sandbox"
    IMAGE = "image"
    START = "start"
    STOP = "stop"
    STOP_SANDBOX = "stop-sandbox"
    REMOVE = "remove"
    TEAR_DOWN = "tear-down"
    FINISH = "finish"


# How long to wait after the n-th failure in a row of each kind of work.
RETRY: Mapping[Work, Backoff] = {
    Work.VOLUMES: Backoff(base=0.5, cap=122.0),
    Work.SANDBOX: Backoff(base=1.0, cap=60.0),
    Work.IMAGE: Backoff(base=10.0, cap=300.0),
    Work.START: Backoff(base=1.0, cap=30.0),
    Work.STOP: Backoff(base=1.0, cap=30.0),
    Work.STOP_SANDBOX: Backoff(base=0.5, cap=30.0),
    Work.REMOVE: Backoff(base=1.0, cap=60.0),
    Work.TEAR_DOWN: Backoff(base=0.5, cap=60.0),
    Work.FINISH: Backoff(base=0.2, cap=30.0),
}

Operation = tuple[Work, str]
"""A kind of work and the container it is for ('' when it is for the pod)."""


class ProbeKind(Enum):
    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


ProbeKey = tuple[str, ProbeKind]
"""A container id and the kind of probe."""


# Instructions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetUpVolumes:
    """Make every volume of the pod, and refresh what is there already."""


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class PullImage:
    """Have the container's image on the node, as its pull policy says."""

    container: str


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Create and start it in the sandbox, then run its postStart hook. `attempt` counts restarts from 0."""

    container: str
    attempt: int


@dataclass(frozen=True, slots=True)
class KillContainer:
    """preStop hook, stop signal, SIGKILL, all within `grace` seconds. An empty `message` means no event."""

    container: str
    id: str
    grace: float
    message: str = ""
    hook: bool = True


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Forget a dead container and its log."""

    container: str
    id: str


@dataclass(frozen=True, slots=True)
class StopSandbox:
    """Release the sandbox's network; with `remove` forget it and its containers as well."""

    id: str
    remove: bool


@dataclass(frozen=True, slots=True)
class TearDownVolumes:
    """Unmount and delete the pod's directory on the node."""


@dataclass(frozen=True, slots=True)
class FinishDeletion:
    """Everything of the pod is gone from the node: write the last status and delete the API object for good."""


Instruction = (
    SetUpVolumes
    | CreateSandbox
    | PullImage
    | StartContainer
    | KillContainer
    | RemoveContainer
    | StopSandbox
    | TearDownVolumes
    | FinishDeletion
)

_WORK: Mapping[type, Work] = {
    SetUpVolumes: Work.VOLUMES,
    CreateSandbox: Work.SANDBOX,
    PullImage: Work.IMAGE,
    StartContainer: Work.START,
    KillContainer: Work.STOP,
    RemoveContainer: Work.REMOVE,
    StopSandbox: Work.STOP_SANDBOX,
    TearDownVolumes: Work.TEAR_DOWN,
    FinishDeletion: Work.FINISH,
}


def operation(instruction: Instruction) -> Operation:
    """The operation an instruction starts. Removals are per container id: several of one name may be removed."""
    match instruction:
        case RemoveContainer(id=identity) | StopSandbox(id=identity):
            return _WORK[type(instruction)], identity
        case PullImage(container=name) | StartContainer(container=name) | KillContainer(container=name):
            return _WORK[type(instruction)], name
        case _:
            return _WORK[type(instruction)], ""


# State --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """The last failures in a row of one operation; reason is a waiting or event reason of the API."""

    reason: str
    message: str
    count: int
    at: float
    retry_at: float


@dataclass(frozen=True, slots=True)
class Crashes:
    """A container's restart delay and when it was last raised."""

    delay: float
    raised_at: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why the pod ended (or never began) for a reason outside its containers: PodStatus.reason and .message."""

    reason: str
    message: str


def crash_delay(crashes: Crashes | None, finished_at: float) -> float:
    """Seconds to wait after `finished_at` before the next restart."""
    if crashes is None or finished_at - crashes.raised_at > CRASH_FORGOTTEN_AFTER:
        return 0.0
    return crashes.delay


def _not_ready(sandbox: SandboxStatus, identity: str) -> SandboxStatus:
    return replace(sandbox, state=SandboxState.NOT_READY) if sandbox.id == identity else sandbox


_NO_OPERATIONS: frozenset[Operation] = frozenset()


@dataclass(frozen=True, slots=True)
class PodState:
    """Beside the object: what the runtime reported, what is under way, what failed, and what must be remembered.

    containers: every container the runtime still has for the pod, of the current sandbox or an older one.
    images: container name to the image reference that was found or pulled for its next start.
    stopping: container id to the time by which it will have been killed.
    volumes_outdated: what volumes show changed while they were being set up, so that may have read what was before.
    ended: set once the pod must not run (again) although its object still asks for it.
    gone: the API object has been deleted. torn_down: nothing of the pod is left on disk. deleted: all is done.
    """

    sandbox: SandboxStatus | None = None
    old_sandboxes: tuple[SandboxStatus, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()
    under_way: frozenset[Operation] = _NO_OPERATIONS
    failures: Mapping[Operation, Failure] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    volumes_ready: bool = False
    volumes_outdated: bool = False
    torn_down: bool = False
    probes: Mapping[ProbeKey, bool] = field(default_factory=dict)
    crashes: Mapping[str, Crashes] = field(default_factory=dict)
    stopping: Mapping[str, float] = field(default_factory=dict)
    ended: Rejection | None = None
    seen_at: float = 0.0
    gone: bool = False
    deleted: bool = False

    # questions

    def newest(self, name: str) -> ContainerStatus | None:
        """The container's latest incarnation in any sandbox."""
        mine = [each for each in self.containers if each.config.name == name]
        return max(mine, key=lambda each: (each.config.attempt, each.created_at), default=None)

    def current(self, name: str) -> ContainerStatus | None:
        """Its latest incarnation in the current sandbox."""
        if self.sandbox is None:
            return None
        mine = [each for each in self.containers if each.config.name == name and each.sandbox_id == self.sandbox.id]
        return max(mine, key=lambda each: (each.config.attempt, each.created_at), default=None)

    def previous(self, name: str) -> ContainerStatus | None:
        """The incarnation before the newest, if the runtime still has it."""
        mine = sorted(
            (each for each in self.containers if each.config.name == name),
            key=lambda each: (each.config.attempt, each.created_at),
        )
        return mine[-2] if len(mine) > 1 else None

    def busy(self, work: Work, name: str = "") -> bool:
        return (work, name) in self.under_way

    def failure(self, work: Work, name: str = "") -> Failure | None:
        return self.failures.get((work, name))

    @property
    def alive(self) -> tuple[ContainerStatus, ...]:
        """Containers that still have to be stopped; one merely created counts as well."""
        return tuple(each for each in self.containers if each.state in (ContainerState.RUNNING, ContainerState.CREATED))

    # transitions

    def begun(self, instruction: Instruction, now: float) -> PodState:
        """The worker has started to carry out `instruction`."""
        state = replace(self, under_way=self.under_way | {operation(instruction)})
        match instruction:
            case StartContainer(container=name, attempt=attempt) if attempt > 0:
                last = self.newest(name)
                finished_at = last.finished_at if last else now
                raised = crash_delay(self.crashes.get(name), finished_at)
                delay = min(CRASH_BACKOFF.cap, raised * CRASH_BACKOFF.factor) or CRASH_BACKOFF.base
                return replace(state, crashes={**self.crashes, name: Crashes(delay, now)})
            case SetUpVolumes():
                return replace(state, volumes_outdated=False)
            case KillContainer(id=identity, grace=grace):
                return replace(state, stopping={**self.stopping, identity: now + grace})
            case _:
                return state

    def succeeded(self, instruction: Instruction, *, image: str = "") -> PodState:
        """`instruction` was carried out. `image`: the reference PullImage made available."""
        done = operation(instruction)
        state = replace(
            self,
            under_way=self.under_way - {done},
            failures={each: failure for each, failure in self.failures.items() if each != done},
        )
        match instruction:
            case SetUpVolumes():
                return replace(state, volumes_ready=not self.volumes_outdated)
            case PullImage(container=name):
                return replace(state, images={**self.images, name: image})
            case StartContainer(container=name):
                return replace(state, images={each: ref for each, ref in self.images.items() if each != name})
            case KillContainer(id=identity):
                return replace(state, stopping={i: at for i, at in self.stopping.items() if i != identity})
            case RemoveContainer(id=identity):
                return replace(state, containers=tuple(each for each in self.containers if each.id != identity))
            case StopSandbox(id=identity, remove=True):
                return replace(
                    state,
                    sandbox=None if self.sandbox and self.sandbox.id == identity else self.sandbox,
                    old_sandboxes=tuple(each for each in self.old_sandboxes if each.id != identity),
                    containers=tuple(each for each in self.containers if each.sandbox_id != identity),
                )
            case StopSandbox(id=identity):
                return replace(
                    state,
                    sandbox=_not_ready(self.sandbox, identity) if self.sandbox else None,
                    old_sandboxes=tuple(_not_ready(each, identity) for each in self.old_sandboxes),
                )
            case TearDownVolumes():
                return replace(state, torn_down=True, volumes_ready=False)
            case FinishDeletion():
                return replace(state, deleted=True)
            case _:
                return state

    def outdated(self) -> PodState:
        """What the pod's volumes show has changed: they must be set up again, also if that is being done just now."""
        return replace(self, volumes_ready=False, volumes_outdated=self.busy(Work.VOLUMES))

    def failed(self, instruction: Instruction, reason: str, message: str, now: float) -> PodState:
        """`instruction` could not be carried out; it will be tried again after its backoff."""
        key = operation(instruction)
        before = self.failures.get(key)
        count = before.count + 1 if before else 1
        failure = Failure(reason, message, count, now, now + RETRY[key[0]].delay(count - 1))
        state = replace(self, under_way=self.under_way - {key}, failures={**self.failures, key: failure})
        if isinstance(instruction, KillContainer):
            state = replace(state, stopping={i: at for i, at in self.stopping.items() if i != instruction.id})
        if isinstance(instruction, StartContainer):  # an image found earlier may be the reason
            state = replace(state, images={each: r for each, r in self.images.items() if each != instruction.container})
        return state

    def observed(self, sandboxes: Sequence[SandboxStatus], containers: Sequence[ContainerStatus]) -> PodState:
        """What the runtime has for this pod now; both complete."""
        newest = max(sandboxes, key=lambda each: (each.config.attempt, each.created_at), default=None)
        ids = {each.id for each in containers}
        return replace(
            self,
            sandbox=newest,
            old_sandboxes=tuple(each for each in sandboxes if each is not newest),
            containers=tuple(containers),
            probes={key: value for key, value in self.probes.items() if key[0] in ids},
        )

    def with_sandbox(self, status: SandboxStatus) -> PodState:
        """A sandbox was made, or is known to have changed."""
        others = [each for each in self.old_sandboxes if each.id != status.id]
        if self.sandbox is not None and self.sandbox.id != status.id:
            others.append(self.sandbox)
        return self.observed((*others, status), self.containers)

    def with_container(self, status: ContainerStatus) -> PodState:
        """A container was made, or is known to have changed. One that has exited stays so, whatever is told later."""
        for each in self.containers:
            if each.id == status.id and each.state is ContainerState.EXITED:
                return self
        others = tuple(each for each in self.containers if each.id != status.id)
        return replace(self, containers=(*others, status))

    def without_container(self, container_id: str) -> PodState:
        """The runtime does not know it any more."""
        return replace(self, containers=tuple(each for each in self.containers if each.id != container_id))

    def probed(self, container_id: str, kind: ProbeKind, success: bool) -> PodState:
        return replace(self, probes={**self.probes, (container_id, kind): success})

    def reconsidered(self) -> PodState:
        """Something outside changed (a ConfigMap came to be): failed work need not wait any longer, pulls must."""
        keep = {key: failure for key, failure in self.failures.items() if key[0] is Work.IMAGE}
        return self if len(keep) == len(self.failures) else replace(self, failures=keep)
