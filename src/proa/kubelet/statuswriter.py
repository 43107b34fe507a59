"""Writes pod statuses to the API: only what changed, one write at a time per pod, the latest state wins.

A change somebody waits for is written at once; the rest is gathered for a moment, so that a pod that starts quickly
costs one write. What the status is, is `status`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.aio.backoff import Backoff
from proa.aio.tasks import TaskScope
from proa.api.core_v1 import Pod, PodStatus
from proa.api.core_v1.resources import PODS
from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.kubelet.status import OWNED_CONDITIONS, is_important
from proa.machinery.status import StatusError, is_conflict, is_not_found

log = logging.getLogger(__name__)

GATHER = 0.25
# Seconds before the same status is written again because the API shows another one: somebody disagrees with us.
REPEAT = 10.0
RETRY = Backoff(base=0.2, cap=10.0, jitter=0.2)

# Lists that a strategic merge patch would merge although we mean to replace them.
_REPLACED = ("podIPs", "hostIPs")


def status_patch(old: PodStatus, new: PodStatus) -> dict[str, Any]:
    """A strategic merge patch of the status from `old` to `new`; empty when they say the same.

    Conditions are merged by type and only ours are sent, so that what others write meanwhile is never undone.
    """
    before: dict[str, Any] = msgspec.to_builtins(old)
    after: dict[str, Any] = msgspec.to_builtins(new)
    patch: dict[str, Any] = {}
    for name in before.keys() | after.keys():
        if name == "conditions" or before.get(name) == after.get(name):
            continue
        value = after.get(name)
        if name in _REPLACED and before.get(name) and value is not None:
            value = [{"$patch": "replace"}, *value]
        patch[name] = value
    known = {each["type"]: each for each in before.get("conditions", ())}
    changed = [
        each
        for each in after.get("conditions", ())
        if each["type"] in OWNED_CONDITIONS and known.get(each["type"]) != each
    ]
    after_types = {each["type"] for each in after.get("conditions", ())}
    dropped = [each for each in OWNED_CONDITIONS if each in known and each not in after_types]
    if changed or dropped:
        # An absent field would be left as it was: say that it is empty.
        patch["conditions"] = [{"reason": None, "message": None, **each} for each in changed]
        patch["conditions"] += [{"$patch": "delete", "type": each} for each in dropped]
    return patch


def _ordered_like(written: PodStatus, status: PodStatus) -> PodStatus:
    """`status` with its conditions in the order that the API keeps them in, which means nothing to anybody."""
    places = {each.type: place for place, each in enumerate(written.conditions)}
    conditions = tuple(sorted(status.conditions, key=lambda each: places.get(each.type, -1)))
    return msgspec.structs.replace(status, conditions=conditions)


@dataclass(slots=True)
class _Entry:
    pod: Pod
    written: PodStatus
    version: int
    desired: PodStatus | None = None
    accepted: PodStatus | None = None
    timer: asyncio.TimerHandle | None = None
    writing: asyncio.Task[None] | None = None
    failures: int = 0


class StatusWriter:
    """The statuses of one node's pods on their way to the API."""

    def __init__(self, client: Client, scope: TaskScope) -> None:
        self._client = client
        self._scope = scope
        self._entries: dict[str, _Entry] = {}
        self._writes = 0
        self._failed = 0

    def statistics(self) -> dict[str, int]:
        return {"pods": len(self._entries), "writes": self._writes, "failed": self._failed}

    def known(self, pod: Pod) -> None:
        """The API holds this pod; what it says of its status is what changes are counted from."""
        entry = self._entries.get(pod.metadata.uid)
        version = _version(pod)
        if entry is None:
            self._entries[pod.metadata.uid] = _Entry(pod, pod.status, version)
        elif version >= entry.version:
            entry.pod, entry.written, entry.version = pod, pod.status, version

    def submit(self, pod: Pod, status: PodStatus) -> None:
        """`status` is what the API should say of `pod` now."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            entry = self._entries[pod.metadata.uid] = _Entry(pod, pod.status, _version(pod))
        status = _ordered_like(entry.written, status)
        if status == entry.written and entry.writing is None:
            entry.desired = None
            return
        entry.desired = status
        if entry.writing is not None or entry.failures:
            return
        repeated = entry.accepted is not None and status == _ordered_like(entry.written, entry.accepted)
        if is_important(entry.written, status) and not repeated:
            self._begin(entry)
        elif entry.timer is None:
            delay = REPEAT if repeated else GATHER
            entry.timer = asyncio.get_running_loop().call_later(delay, self._begin, entry)

    def forget(self, uid: str) -> None:
        """The pod has left the API: nothing is to be written any more."""
        entry = self._entries.pop(uid, None)
        if entry is None:
            return
        entry.desired = None
        if entry.timer is not None:
            entry.timer.cancel()

    async def flush(self, uid: str) -> None:
        """Return when what was submitted so far has been written; raises what the last write raised."""
        entry = self._entries.get(uid)
        if entry is None:
            return
        while entry.writing is not None:
            await asyncio.wait([entry.writing])
        if entry.desired is not None:
            await self._write(entry)

    def _begin(self, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.writing is None and entry.desired is not None:
            name = f"status {entry.pod.metadata.namespace}/{entry.pod.metadata.name}"
            entry.writing = self._scope.spawn(self._run(entry), name=name)

    async def _run(self, entry: _Entry) -> None:
        try:
            while entry.desired is not None:
                await self._write(entry)
                entry.failures = 0
        except (ProaError, OSError, TimeoutError) as error:
            self._failed += 1
            meta = entry.pod.metadata
            log.warning("status of pod %s/%s not written: %s", meta.namespace, meta.name, error)
            delay = RETRY.delay(entry.failures)
            entry.failures += 1
            if meta.uid in self._entries:
                entry.timer = asyncio.get_running_loop().call_later(delay, self._begin, entry)
        finally:
            entry.writing = None

    async def _write(self, entry: _Entry) -> None:
        desired = entry.desired
        assert desired is not None
        meta = entry.pod.metadata
        patch = status_patch(entry.written, desired)
        if patch:
            body = {"metadata": {"uid": meta.uid}, "status": patch}
            try:
                pod = await self._client.patch(PODS, meta.name, meta.namespace, body, subresource="status")
            except StatusError as error:
                if is_not_found(error) or (is_conflict(error) and "uid" in error.message.lower()):
                    entry.desired = None  # this pod is no more; the informer will say so
                    return
                raise
            self._writes += 1
            entry.accepted = desired
            if _version(pod) >= entry.version:
                entry.pod, entry.written, entry.version = pod, pod.status, _version(pod)
        if entry.desired is desired:
            entry.desired = None


def _version(pod: Pod) -> int:
    """Revisions of this API server's stores are numbers; an opaque one counts as newest."""
    text = pod.metadata.resourceVersion
    return int(text) if text.isdigit() else 1 << 63
