"""The pods of a node: one worker each, fed by the API's pods and the runtime's events.

Composition only: what a pod needs is decided by its state machine and done by its steps. After a restart the runtime is
listed first and the pods' sandboxes and containers are found again by their labels; none is restarted for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from proa.aio.tasks import TaskFailedError, TaskScope
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import NODES
from proa.base.errors import ProaError
from proa.kubelet import labels
from proa.kubelet.admission import NODE_AFFINITY, admit
from proa.kubelet.context import Node, with_message
from proa.kubelet.facts import is_terminal
from proa.kubelet.services import Services
from proa.kubelet.state import PodState
from proa.kubelet.statuswriter import StatusWriter
from proa.kubelet.worker import PodWorker
from proa.rules.resources import Amounts, pod_requests
from proa.runtime.protocol import (
    ContainerState,
    ContainerStatus,
    NotFoundError,
    RuntimeEvent,
    RuntimeFault,
    SandboxStatus,
)

log = logging.getLogger(__name__)


class Pods:
    """The pods of one node and their workers."""

    def __init__(self, services: Services, *, scope: TaskScope | None = None) -> None:
        self.services = services
        self.workers: dict[str, PodWorker] = {}
        self.node_labels: Mapping[str, str] = services.config.labels
        self.allocatable: Mapping[str, str] = {}
        self._scope = scope or TaskScope(f"kubelet/{services.config.name}", on_error=self._task_failed)
        self._owned = scope is None
        self._node = Node(services, StatusWriter(services.client, self._scope), self._scope, {}, self._finished)
        self._requests: dict[str, Amounts] = {}
        self._found: dict[str, tuple[list[SandboxStatus], list[ContainerStatus]]] = {}
        self._doubted: dict[str, Pod] = {}
        self._relists = 0
        self._failures = 0
        self._relisting: asyncio.Task[None] | None = None

    @property
    def statuses(self) -> StatusWriter:
        return self._node.statuses

    def statistics(self) -> dict[str, Any]:
        return {
            "pods": len(self.workers),
            "relists": self._relists,
            "failures": self._failures,
            "tasks": self._scope.statistics(),
            "statuses": self.statuses.statistics(),
            "images": self.services.images.statistics(),
        }

    def story(self, uid: str) -> dict[str, Any]:
        """What one pod is waiting for."""
        worker = self.workers.get(uid)
        return worker.statistics() if worker is not None else {}

    # Life

    async def start(self) -> None:
        """List the runtime and follow its events; pods may come after this."""
        events = self.services.runtime.events()  # from before the list, so that nothing falls between
        self._found = await self._list()
        self._scope.spawn_forever(self._follow(events), name="runtime events")
        self._scope.spawn_forever(self._relist_forever(), name="relist")

    async def remove_orphans(self) -> None:
        """End what the runtime has of pods the API does not know; call once every pod of the API was announced."""
        known, self._found = self._found, {}
        for uid, (sandboxes, containers) in known.items():
            if uid not in self.workers:
                name = f"orphan {uid}"
                self._scope.spawn(self._remove_orphan(uid, sandboxes, containers), name=name)

    async def close(self) -> None:
        """Let go: pods stay as they are."""
        for worker in self.workers.values():
            worker.close()
        if self._owned:
            await self._scope.close()

    # The API's pods

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """An informer's handler."""
        if new is None:
            if old is not None:
                self._doubted.pop(old.metadata.uid, None)
                if old.metadata.uid in self.workers:
                    self.workers[old.metadata.uid].vanished()
            return
        self.statuses.known(new)
        worker = self.workers.get(new.metadata.uid)
        if worker is not None:
            worker.update(new)
        elif new.metadata.uid in self._doubted:
            self._doubted[new.metadata.uid] = new
        else:
            self._add(new)

    def _add(self, pod: Pod, *, sure: bool = False) -> None:
        """Take the pod on, or refuse it. sure: the node's labels are known to be the present ones."""
        uid = pod.metadata.uid
        now = self.services.now()
        state = PodState(seen_at=now)
        found = self._found.pop(uid, None)
        if found is not None:
            sandboxes, containers = found
            told = [with_message(self.services, pod, each) if _exited(each) else each for each in containers]
            state = state.observed(sandboxes, told)
            self._node.sandboxes.update({each.id: uid for each in sandboxes})
        elif not is_terminal(pod) and pod.metadata.deletionTimestamp is None:
            taken = [each for other, each in self._requests.items() if self._counts(other)]
            rejection = admit(pod, self.node_labels, self.allocatable, taken)
            if rejection is not None and rejection.reason == NODE_AFFINITY and not sure:
                self._doubted[uid] = pod
                self._scope.spawn(self._ask_for_labels(uid), name=f"labels for {uid}")
                return
            if rejection is not None:
                self.services.events.warning(pod, rejection.reason, rejection.message)
                state = replace(state, ended=rejection)
        worker = self.workers[uid] = PodWorker(self._node, pod, state)
        self._requests[uid] = pod_requests(pod)
        worker.kick()

    async def _ask_for_labels(self, uid: str) -> None:
        """The scheduler may know of labels that we have not heard of: nobody tells us, so we ask before we refuse."""
        name = self.services.config.name
        try:
            self.node_labels = (await self.services.client.get(NODES, name)).metadata.labels
        except (ProaError, OSError, TimeoutError) as error:
            log.warning("the labels of node %s are not known for certain: %s", name, error)
        pod = self._doubted.pop(uid, None)
        if pod is not None:
            self._add(pod, sure=True)

    def _counts(self, uid: str) -> bool:
        """Its resources are still taken."""
        worker = self.workers.get(uid)
        return worker is not None and not is_terminal(worker.pod) and worker.state.ended is None

    def _finished(self, uid: str) -> None:
        """Nothing of the pod is left on the node."""
        self.workers.pop(uid, None)
        self._requests.pop(uid, None)
        self.statuses.forget(uid)
        self.services.objects.release(uid)
        for sandbox in [each for each, owner in self._node.sandboxes.items() if owner == uid]:
            del self._node.sandboxes[sandbox]

    def objects_changed(self, uids: frozenset[str]) -> None:
        """ConfigMaps or Secrets these pods use have changed."""
        for uid in uids:
            worker = self.workers.get(uid)
            if worker is not None:
                worker.reconsider()

    # The runtime

    async def _follow(self, events: AsyncIterator[RuntimeEvent]) -> None:
        """Events from the runtime, for ever; after each interruption everything is listed anew."""
        while True:
            try:
                async for event in events:
                    self._runtime_event(event)
            except (ProaError, RuntimeFault, OSError) as error:
                log.warning("events of the runtime ended: %s", error)
            await asyncio.sleep(1.0)
            events = self.services.runtime.events()
            await self.relist()

    def _runtime_event(self, event: RuntimeEvent) -> None:
        worker = self.workers.get(self._node.sandboxes.get(event.sandbox_id, ""))
        if worker is None or event.kind == "created":
            return
        if event.container_id:
            worker.container_event(event.container_id)
        elif event.kind != "stopped" or worker.expects_stop(event.sandbox_id):
            return
        elif self._relisting is None or self._relisting.done():
            self._relisting = self._scope.spawn(self.relist(), name="relist now")

    async def _relist_forever(self) -> None:
        while True:
            await asyncio.sleep(self.services.config.relist_period)
            await self.relist()

    async def relist(self) -> None:
        """Compare with everything the runtime has: the safety net below the events."""
        self._relists += 1
        before = {uid: worker.changes for uid, worker in self.workers.items()}
        try:
            found = await self._list()
        except (RuntimeFault, OSError, TimeoutError) as error:
            self._failures += 1
            log.warning("the runtime cannot be listed: %s", error)
            return
        for uid, changes in before.items():
            worker = self.workers.get(uid)
            if worker is not None:
                sandboxes, containers = found.get(uid, ([], []))
                told = [with_message(self.services, worker.pod, each) if _exited(each) else each for each in containers]
                worker.observed(sandboxes, told, changes)

    async def _list(self) -> dict[str, tuple[list[SandboxStatus], list[ContainerStatus]]]:
        found: dict[str, tuple[list[SandboxStatus], list[ContainerStatus]]] = {}
        owner: dict[str, str] = {}
        for sandbox in await self.services.runtime.sandboxes():
            uid = sandbox.config.labels.get(labels.POD_UID) or sandbox.config.uid
            owner[sandbox.id] = uid
            found.setdefault(uid, ([], []))[0].append(sandbox)
        for container in await self.services.runtime.containers():
            uid = owner.get(container.sandbox_id, "")
            if uid:
                found[uid][1].append(container)
        return found

    async def _remove_orphan(self, uid: str, sandboxes: list[SandboxStatus], containers: list[ContainerStatus]) -> None:
        runtime = self.services.runtime
        log.info("pod %s is not in the API: its sandboxes are removed", uid)
        grace = float(sandboxes[0].config.annotations.get(labels.GRACE_PERIOD, "30"))
        try:
            alive = [each for each in containers if each.state is not ContainerState.EXITED]
            await asyncio.gather(*(runtime.stop_container(each.id, grace) for each in alive))
            for sandbox in sandboxes:
                await runtime.stop_sandbox(sandbox.id)
                await runtime.remove_sandbox(sandbox.id)
            await self.services.volumes.tear_down(uid)
        except NotFoundError:
            return
        except (RuntimeFault, OSError, TimeoutError) as error:
            self._failures += 1
            log.warning("orphaned pod %s cannot be removed: %s", uid, error)

    def _task_failed(self, failure: TaskFailedError) -> None:
        self._failures += 1
        log.error("%s", failure, exc_info=failure.__cause__)


def _exited(status: ContainerStatus) -> bool:
    return status.state is ContainerState.EXITED
