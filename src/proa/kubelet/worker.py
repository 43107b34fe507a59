"""Carries out what the state machine decides for one pod.

Everything that happens to the pod ends in `kick`; the decision itself is synchronous, so a pod's state is never worked
on twice at once, and the operations it starts are tasks of the kubelet's scope. What is decided is `podstate`; how an
instruction is carried out is its step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import msgspec

from proa.api.core_v1 import Pod, PodStatus, Volume
from proa.base.errors import ProaError
from proa.kubelet.context import Node, with_message
from proa.kubelet.facts import is_terminal
from proa.kubelet.podstate import Plan, decide
from proa.kubelet.probing import Probing
from proa.kubelet.services import Outcome, StepError
from proa.kubelet.state import Instruction, KillContainer, Operation, PodState, ProbeKind, Rejection, Work, operation
from proa.kubelet.status import OWNED_CONDITIONS, compute_status
from proa.kubelet.steps import STEPS
from proa.machinery.status import StatusError
from proa.runtime.protocol import (
    ContainerState,
    ContainerStatus,
    NotFoundError,
    RuntimeFault,
    SandboxState,
    SandboxStatus,
)

log = logging.getLogger(__name__)

# Below this many seconds a wake-up is due now.
_SOON = 0.001


class PodWorker:
    """One pod on this node."""

    def __init__(self, node: Node, pod: Pod, state: PodState) -> None:
        self.node = node
        self.pod = pod
        self.state = state
        self.plan = Plan()
        self.probing = Probing(node.services, node.scope, self.probed)
        self._tasks: dict[Operation, asyncio.Task[None]] = {}
        self._refreshing: dict[str, bool] = {}
        self.changes = 0
        self._kicked = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._told: dict[str, str] = {}
        self._status: PodStatus | None = None
        self._left = False

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    def statistics(self) -> dict[str, Any]:
        return {
            "under_way": sorted(f"{work.value} {name}".strip() for work, name in self.state.under_way),
            "waiting": {name: each.reason for name, each in self.plan.waiting.items()},
            "probes": len(self.plan.probes),
        }

    # What happens to it

    def update(self, pod: Pod) -> None:
        """The API object changed."""
        before, self.pod = self.pod.metadata, pod
        shown = (pod.metadata.labels, pod.metadata.annotations)
        if (before.labels, before.annotations) != shown and any(_shows_metadata(each) for each in pod.spec.volumes):
            self.state = self.state.outdated()
        self.kick()

    def vanished(self) -> None:
        """The API object is gone: nothing more may be written, everything here must go."""
        self.node.statuses.forget(self.uid)
        self.state = replace(self.state, gone=True)
        self.kick()

    def end(self, rejection: Rejection) -> None:
        """The pod must not run on this node (any longer)."""
        self.state = replace(self.state, ended=rejection)
        self.kick()

    def observed(self, sandboxes: list[SandboxStatus], containers: list[ContainerStatus], changes: int) -> None:
        """What a listing of the whole runtime has for this pod.

        `changes` is what the counter said before the listing: when something was made, removed or looked at since, the
        listing may be the older news and is dropped.
        """
        if self._tasks or self._refreshing or changes != self.changes:
            return
        before = self.state
        self.state = before.observed(sandboxes, containers)
        if self.state.sandbox != before.sandbox or _by_id(self.state) != _by_id(before):
            self.kick()

    def expects_stop(self, sandbox_id: str) -> bool:
        """We are stopping this sandbox ourselves, or know that it is not ready."""
        known = (*self.state.old_sandboxes, *((self.state.sandbox,) if self.state.sandbox else ()))
        ready = any(each.id == sandbox_id and each.state is SandboxState.READY for each in known)
        return not ready or self.state.busy(Work.STOP_SANDBOX, sandbox_id) or self.state.busy(Work.SANDBOX)

    def container_event(self, container_id: str) -> None:
        """Something happened to a container: look at it."""
        if container_id in self._refreshing:
            self._refreshing[container_id] = True
            return
        self._refreshing[container_id] = False
        self._spawn(self._refresh(container_id), f"refresh {container_id[:12]}")

    def probed(self, container_id: str, kind: ProbeKind, success: bool) -> None:
        self.state = self.state.probed(container_id, kind, success)
        self.kick()

    def reconsider(self) -> None:
        """Something it refers to has changed: failed work may succeed now, volumes must be refreshed."""
        self.state = self.state.reconsidered().outdated()
        self.kick()

    def kick(self) -> None:
        """Decide again, once for everything that happens in this turn of the loop."""
        if not self._kicked and not self._closed:
            self._kicked = True
            asyncio.get_running_loop().call_soon(self._decide)

    def close(self) -> None:
        """Let go of the pod: its containers stay as they are."""
        self._closed = True
        self.probing.close()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks.values():
            task.cancel()

    # Deciding

    def _decide(self) -> None:
        self._kicked = False
        if self._closed:
            return
        now = self.node.services.now()
        pod = self._view()
        plan = decide(pod, self.state, now)
        if plan.end is not None:
            self._event("Normal", plan.end.reason, plan.end.message)
            self.state = replace(self.state, ended=plan.end)
            plan = decide(pod, self.state, now)
        self.plan = plan
        for abandoned in plan.cancel:
            task = self._tasks.get(abandoned)
            if task is not None:
                task.cancel()
        for instruction in plan.instructions:
            self._begin(instruction, now)
        self.probing.run(self.pod, self.state, plan.probes)
        self._tell_backoffs(plan)
        self._report(pod, plan, now)
        self._wake(plan.wake_at, now)
        if self.state.deleted:
            self.close()
            self.node.finished(self.uid)

    def _view(self) -> Pod:
        """The pod with the status it has by our own reckoning, which is ahead of what the API and informer know.

        What others write there counts: their conditions, and that the pod has ended.
        """
        told, own = self.pod.status, self._status
        if own is None:
            return self.pod
        conditions = tuple(each for each in own.conditions if each.type in OWNED_CONDITIONS)
        conditions += tuple(each for each in told.conditions if each.type not in OWNED_CONDITIONS)
        changes: dict[str, Any] = {"conditions": conditions, "nominatedNodeName": told.nominatedNodeName}
        if is_terminal(self.pod) and own.phase not in ("Succeeded", "Failed"):
            changes |= {"phase": told.phase, "reason": told.reason, "message": told.message}
        return msgspec.structs.replace(self.pod, status=msgspec.structs.replace(own, **changes))

    def _report(self, pod: Pod, plan: Plan, now: float) -> None:
        """Have the status written. On its way out it is told once more, before its containers are forgotten."""
        if self.state.gone or self.state.deleted:
            return
        if plan.leaving and (self._left or not self.state.containers):
            return
        self._left = plan.leaving
        self._status = compute_status(pod, self.state, plan, self.node.services.host, now)
        self.node.statuses.submit(pod, self._status)

    def _wake(self, at: float | None, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(max(at - now, _SOON), self.kick)

    def _tell_backoffs(self, plan: Plan) -> None:
        told: dict[str, str] = {}
        for name, waiting in plan.waiting.items():
            told[name] = waiting.reason
            if self._told.get(name) == waiting.reason:
                continue
            meta = self.pod.metadata
            if waiting.reason == "CrashLoopBackOff":
                text = f"Back-off restarting failed container {name} in pod {meta.name}_{meta.namespace}({meta.uid})"
                self._event("Warning", "BackOff", text, name)
            elif waiting.reason == "ImagePullBackOff":
                self._event("Normal", "BackOff", waiting.message.split(": ", 1)[0], name)
                self._event("Warning", "Failed", "Error: ImagePullBackOff", name)
        self._told = told

    def _event(self, type_: str, reason: str, message: str, container: str = "") -> None:
        path = f"spec.containers{{{container}}}" if container else ""
        self.node.services.events.event(self.pod, type_, reason, message, field_path=path)

    # Doing

    def _begin(self, instruction: Instruction, now: float) -> None:
        self.changes += 1
        key = operation(instruction)
        before = self._tasks.get(key)
        self.state = self.state.begun(instruction, now)
        self._tasks[key] = self._spawn(self._carry_out(instruction, before), f"{key[0].value} {key[1]}")

    def _spawn(self, coroutine: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        meta = self.pod.metadata
        return self.node.scope.spawn(coroutine, name=f"{meta.namespace}/{meta.name}: {what}")

    async def _carry_out(self, instruction: Instruction, before: asyncio.Task[None] | None) -> None:
        key = operation(instruction)
        me = asyncio.current_task()
        if before is not None:  # a stop that takes too long gives way to a faster one
            before.cancel()
            await asyncio.wait([before])
        try:
            outcome = await STEPS[type(instruction)](self.node, self.pod, self.state, instruction)
        except asyncio.CancelledError:
            if not self._closed and self._tasks.get(key) is me:
                self.state = replace(self.state, under_way=self.state.under_way - {key})
                # What it had begun may exist: look before deciding anything.
                await self._look()
                self._done(key)
                return
            raise
        except (ProaError, RuntimeFault, OSError, TimeoutError) as error:
            self._failed(instruction, error)
        except Exception as error:
            # A bug of a step must not leave its pod waiting for ever for an operation that has died.
            log.exception("pod %s/%s: step %s", self.pod.metadata.namespace, self.pod.metadata.name, key)
            self._failed(instruction, error)
        else:
            self._succeeded(instruction, outcome)
        if self._tasks.get(key) is me:
            self._done(key)

    def _done(self, key: Operation) -> None:
        self.changes += 1
        self._tasks.pop(key, None)
        self.kick()

    def _succeeded(self, instruction: Instruction, outcome: Outcome) -> None:
        state = self.state
        if outcome.sandbox is not None:
            state = state.with_sandbox(outcome.sandbox)
            self.node.sandboxes[outcome.sandbox.id] = self.uid
        if outcome.container is not None:
            state = state.with_container(outcome.container)
        self.state = state.succeeded(instruction, image=outcome.image)

    def _failed(self, instruction: Instruction, error: Exception) -> None:
        key = operation(instruction)
        reason = getattr(error, "reason", "") or type(error).__name__
        message = error.message if isinstance(error, StatusError) else str(error)
        meta = self.pod.metadata
        log.info("pod %s/%s: %s %s: %s: %s", meta.namespace, meta.name, key[0].value, key[1], reason, message)
        if isinstance(error, StepError):
            for event, text in error.events:
                container = key[1] if hasattr(instruction, "container") else ""
                self._event("Warning", event, text, container)
            if error.container is not None:
                self.state = self.state.with_container(error.container)
        self.state = self.state.failed(instruction, reason, message, self.node.services.now())
        if isinstance(instruction, KillContainer):
            self.container_event(instruction.id)

    # Looking

    async def _refresh(self, container_id: str) -> None:
        try:
            again = True
            while again:
                self._refreshing[container_id] = False
                await self._look_at(container_id)
                again = self._refreshing[container_id]
        finally:
            del self._refreshing[container_id]
            self.changes += 1
        self.kick()

    async def _look_at(self, container_id: str) -> None:
        services = self.node.services
        try:
            status = await services.runtime.container(container_id)
        except NotFoundError:
            self.state = self.state.without_container(container_id)
            return
        except (RuntimeFault, OSError, TimeoutError) as error:
            log.warning("container %s: %s", container_id, error)
            return
        if status.state is ContainerState.EXITED:
            status = with_message(services, self.pod, status)
        self.state = self.state.with_container(status)

    async def _look(self) -> None:
        """List the current sandbox's containers anew."""
        sandbox = self.state.sandbox
        if sandbox is None:
            return
        try:
            for status in await self.node.services.runtime.containers(sandbox.id):
                if status.state is ContainerState.EXITED:
                    status = with_message(self.node.services, self.pod, status)
                self.state = self.state.with_container(status)
        except (RuntimeFault, OSError, TimeoutError) as error:
            log.warning("containers of sandbox %s: %s", sandbox.id, error)


def _by_id(state: PodState) -> dict[str, ContainerStatus]:
    return {each.id: each for each in state.containers}


def _shows_metadata(volume: Volume) -> bool:
    """A downward API volume, whose files follow labels and annotations."""
    projected = volume.projected.sources if volume.projected is not None else ()
    return volume.downwardAPI is not None or any(each.downwardAPI is not None for each in projected)
