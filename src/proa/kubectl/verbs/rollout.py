"""`kubectl rollout`: how far a workload is on its way to what its manifest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from proa.base.errors import ProaError
from proa.kubectl.selection import SelectionError, targets
from proa.kubectl.session import Session, seconds, session_options
from proa.kubectl.watching import Watching


class RolloutError(ProaError):
    """The rollout will not end by itself."""


@click.group()
def command() -> None:
    """Follow the rollout of a workload."""


@command.command()
@click.argument("words", nargs=-1, metavar="TYPE/NAME...")
@session_options
@click.option("-w", "--watch/--no-watch", default=True, help="Until it is done.  [default: watch]")
@click.option("--timeout", default="0", help="How long; 0: for ever.")
def status(session: Session, words: tuple[str, ...], watch: bool, timeout: str) -> None:
    """Show how far the rollout is, until it is done."""
    found = targets(session.discovery, words)
    if any(not target.name for target in found):
        raise SelectionError("name a workload, e.g. deployment/web")
    watching = Watching(session.client, seconds(timeout))
    for target in found:
        look = _LOOKS.get((target.resource.group, target.resource.kind))
        if look is None:
            raise SelectionError(f"no rollout status for {target.resource.kind}")
        said = ""
        for current in watching.states(target.resource, session.namespace, target.name):
            if current is None:
                session.client.get(target.resource.path(session.namespace, target.name))  # says NotFound
                continue
            words_now, done = look(current)
            if words_now != said:
                click.echo(words_now)
                said = words_now
            if done or not watch:
                break


def deployment(found: dict[str, Any]) -> tuple[str, bool]:
    """How far a Deployment is, in words, and whether that is all the way. Raises RolloutError."""
    name, spec, status = found["metadata"]["name"], found["spec"], found.get("status") or {}
    if _is_old(found):
        return "Waiting for deployment spec update to be observed...", False
    for each in status.get("conditions") or ():
        if each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded":
            raise RolloutError(f'deployment "{name}" exceeded its progress deadline')
    wanted = spec.get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    begin = f'Waiting for deployment "{name}" rollout to finish'
    if updated < wanted:
        return f"{begin}: {updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{begin}: {total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{begin}: {available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _daemon_set(found: dict[str, Any]) -> tuple[str, bool]:
    name, status = found["metadata"]["name"], found.get("status") or {}
    if _is_old(found):
        return "Waiting for daemon set spec update to be observed...", False
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    begin = f'Waiting for daemon set "{name}" rollout to finish'
    if updated < wanted:
        return f"{begin}: {updated} out of {wanted} new pods have been updated...", False
    if available < wanted:
        return f"{begin}: {available} of {wanted} updated pods are available...", False
    return f'daemon set "{name}" successfully rolled out', True


def _stateful_set(found: dict[str, Any]) -> tuple[str, bool]:
    spec, status = found["spec"], found.get("status") or {}
    if _is_old(found):
        return "Waiting for statefulset spec update to be observed...", False
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...", False
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0)
    updated = status.get("updatedReplicas", 0)
    if partition:
        if updated < wanted - partition:
            return (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods have been "
                "updated...",
                False,
            )
        return f"partitioned roll out complete: {updated} new pods have been updated...", True
    if status.get("updateRevision") != status.get("currentRevision"):
        revision = status.get("updateRevision")
        return f"waiting for statefulset rolling update to complete {updated} pods at revision {revision}...", False
    total = status.get("currentReplicas", 0)
    return f"statefulset rolling update complete {total} pods at revision {status.get('currentRevision')}...", True


def _is_old(found: dict[str, Any]) -> bool:
    """Whether the controller has not seen the latest spec yet."""
    return bool((found.get("status") or {}).get("observedGeneration", 0) < found["metadata"].get("generation", 0))


_LOOKS: dict[tuple[str, str], Callable[[dict[str, Any]], tuple[str, bool]]] = {
    ("apps", "Deployment"): deployment,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "StatefulSet"): _stateful_set,
}
