"""Printer columns of pods: in one word how a pod is, who of it is ready, how often and when it was restarted.

While a pod initializes, its init containers are what there is to say; afterwards the others and the sidecars.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from proa.machinery.columns import AGE, NAME, NONE, UNKNOWN, Document, dig, path
from proa.machinery.resource import Column, Conditions


class _Progress(NamedTuple):
    """How far a pod has come. initial: the init containers up to the one that is not done, and `waits`, why it is not
    ('' when all are); running: the others, as soon as they count."""

    sidecars: Collection[str]
    initial: Sequence[Document]
    waits: str
    running: Sequence[Document]


def _statuses(pod: Document, field: str) -> Sequence[Document]:
    return dig(pod, "status", field) or ()


def _sidecars(pod: Document) -> set[str]:
    containers = dig(pod, "spec", "initContainers") or ()
    return {each["name"] for each in containers if each.get("restartPolicy") == "Always"}


def _condition(pod: Document, kind: str) -> Document:
    return next((each for each in dig(pod, "status", "conditions") or () if each.get("type") == kind), {})


def _is_true(pod: Document, kind: str) -> bool:
    return _condition(pod, kind).get("status") == "True"


def _progress(pod: Document) -> _Progress:
    running = _statuses(pod, "containerStatuses")
    if not dig(pod, "spec", "initContainers"):
        return _Progress((), (), "", running)
    sidecars = _sidecars(pod)
    found = list(_initializing(pod, sidecars))
    waits = found[-1][0] if found else ""
    initial = [status for _, status in found]
    return _Progress(sidecars, initial, waits, running if not waits or _is_true(pod, "Initialized") else ())


def _phase(pod: Document) -> str:
    if _condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return dig(pod, "status", "reason") or dig(pod, "status", "phase") or UNKNOWN


def _leaving(pod: Document) -> str:
    """What a pod is called that is being deleted; '' for any other."""
    if not dig(pod, "metadata", "deletionTimestamp"):
        return ""
    if dig(pod, "status", "reason") == "NodeLost":
        return "Unknown"
    return "" if dig(pod, "status", "phase") in ("Succeeded", "Failed") else "Terminating"


def _initializing(pod: Document, sidecars: set[str]) -> Iterator[tuple[str, Document]]:
    """The init containers up to the one that is not done, and why it is not ('' of those that are)."""
    total = len(dig(pod, "spec", "initContainers") or ())
    for index, status in enumerate(_statuses(pod, "initContainerStatuses")):
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        done = terminated is not None and not terminated.get("exitCode")
        if done or (status.get("name") in sidecars and _is_started(status)):
            yield "", status
            continue
        if terminated is not None:
            yield f"Init:{_ended(terminated)}", status
        elif waiting.get("reason") not in (None, "", "PodInitializing"):
            yield f"Init:{waiting['reason']}", status
        else:
            yield f"Init:{index}/{total}", status
        return


def _is_started(status: Document) -> bool:
    return bool(status.get("started")) and (dig(status, "state", "terminated", "exitCode") != 0)


def _is_ready(status: Document) -> bool:
    state = status.get("state") or {}
    waits = bool((state.get("waiting") or {}).get("reason")) or state.get("terminated") is not None
    return bool(status.get("ready")) and state.get("running") is not None and not waits


def _running(pod: Document, statuses: Sequence[Document], reason: str) -> str:
    """The first container that has something to say says it, unless it is done and others go on, or failed."""
    failed = ""
    for each in reversed(statuses):
        state = each.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = _ended(terminated)
            failed = reason if terminated.get("exitCode") else failed
    if reason != "Completed":
        return reason
    runs = any(map(_is_ready, statuses))
    if runs and _is_true(pod, "Ready"):
        return "Running"
    return failed or ("NotReady" if runs else reason)


def _ended(terminated: Document) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def pod_ready(pod: Document) -> str:
    """`ready/total` over containers and sidecars."""
    sidecars, initial, waits, running = _progress(pod)
    done = initial[:-1] if waits else initial
    ready = sum(bool(each.get("ready")) and each.get("name") in sidecars and _is_started(each) for each in done)
    ready += sum(map(_is_ready, running))
    return f"{ready}/{len(dig(pod, 'spec', 'containers') or ()) + len(sidecars)}"


def pod_status(pod: Document) -> str:
    """The one word that says best how a pod is: its phase, or why it is not there yet."""
    leaving = _leaving(pod)
    if leaving:
        return leaving
    found = _progress(pod)
    return _running(pod, found.running, found.waits or _phase(pod))


def pod_restarts(pod: Document) -> tuple[int, str]:
    """How often, and when last ('' where nobody knows)."""
    sidecars, initial, waits, running = _progress(pod)
    if not waits or running:
        initial = [each for each in initial if each.get("name") in sidecars]
    count, last = 0, ""
    for each in (*initial, *running):
        count += each.get("restartCount") or 0
        last = max(last, dig(each, "lastState", "terminated", "finishedAt") or "")
    return count, last


def _readiness_gates(pod: Document) -> str:
    gates = dig(pod, "spec", "readinessGates") or ()
    if not gates:
        return NONE
    met = sum(_is_true(pod, each.get("conditionType", "")) for each in gates)
    return f"{met}/{len(gates)}"


_COMPLETED = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def completed(pod: Document) -> Conditions:
    """That a pod is done, and how: programs that show tables set such rows apart."""
    phase = dig(pod, "status", "phase")
    if phase not in _COMPLETED:
        return ()
    return ({"type": "Completed", "status": "True", "reason": phase, "message": _COMPLETED[phase]},)


PODS = (
    NAME,
    Column("Ready", pod_ready, description="Ready containers of all containers."),
    Column("Status", pod_status, description="The pod's phase, or why it is not running."),
    Column("Restarts", pod_restarts, "recurrence", description="How often containers were restarted, and when last."),
    AGE,
    Column("IP", path("status.podIP", NONE), priority=1, description="The pod's address."),
    Column("Node", path("spec.nodeName", NONE), priority=1, description="The node it runs on."),
    Column("Nominated Node", path("status.nominatedNodeName", NONE), priority=1, description="Where it may go."),
    Column("Readiness Gates", _readiness_gates, priority=1, description="Extra conditions met."),
)
