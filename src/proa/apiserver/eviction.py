"""pods/eviction: delete a pod if its disruption budget allows, and count that against the budget.

A budget is changed by compare and swap, so that many evictions at once take no more than it allows. What a budget
allows is kept up to date by the disruption controller; the rules are `rules.disruption`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import Pod
from proa.api.policy_v1 import Eviction, PodDisruptionBudget
from proa.apiserver import metadata
from proa.apiserver.actions import checked_body
from proa.apiserver.identity import LOOPBACK
from proa.apiserver.metadata import Document
from proa.apiserver.options import ReadOptions, WriteOptions
from proa.apiserver.registry import Registry
from proa.machinery import status as failures
from proa.machinery.meta import Status, StatusCause
from proa.machinery.status import StatusError
from proa.machinery.timestamps import parse
from proa.rules.disruption import DISRUPTION_ALLOWED, DISRUPTION_TARGET, allowed_condition, budgets_of, why_not
from proa.rules.pods import is_pod_ready

_TRIES = 20
# Evictions a budget may have that nobody has seen happen yet.
_MOST_DISRUPTED = 2000
_CAUSE = "DisruptionBudget"
_WOULD_VIOLATE = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_SUCCESS: Document = msgspec.to_builtins(Status(status="Success", code=201))


class EvictionAction:
    """The action. budgets: None where the server has none."""

    def __init__(self, pods: Registry, budgets: Registry | None) -> None:
        self._pods = pods
        self._budgets = budgets

    async def evict(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        """Raises StatusError: 429 when a budget does not allow it now."""
        body = checked_body(body, Eviction, options, "policy/v1", "policy/v1beta1")
        if metadata.of(body).get("name", name) != name:
            raise failures.bad_request("name in URL does not match name in Eviction object")
        wanted: Mapping[str, Any] = body.get("deleteOptions") or {}
        asked, said = wanted.get("dryRun") or [], options.document.get("dryRun") or []
        if asked and said and list(asked) != list(said):
            raise failures.bad_request(
                f"Non-matching dry-run options in request and content: {list(said)} and {list(asked)}"
            )
        options.dry_run = options.dry_run or "All" in asked
        await self._pods.admit("CREATE", "eviction", namespace, name, body, options)
        pod = await self._unguarded(namespace, name, wanted, options)
        if pod is not None:
            await self._guarded(pod, wanted, options)
        return _SUCCESS

    async def _unguarded(
        self, namespace: str, name: str, wanted: Mapping[str, Any], options: WriteOptions
    ) -> Pod | None:
        """Delete a pod that disturbs nobody: one that has ended, is going or never ran. The pod, when it is none."""
        for attempt in range(_TRIES):
            pod = await self._pod(namespace, name)
            ended = pod.status.phase in ("Succeeded", "Failed") or pod.metadata.deletionTimestamp is not None
            if not ended and pod.status.phase != "Pending":
                return pod
            # One that is starting may become healthy meanwhile, and then it does disturb somebody.
            guarded = wanted if ended else _as_of(pod, wanted)
            try:
                await self._delete(pod, guarded, options)
            except StatusError as error:
                if not failures.is_conflict(error) or _names_version(wanted) or attempt == _TRIES - 1:
                    raise
            else:
                return None
        raise AssertionError("unreachable")

    async def _guarded(self, pod: Pod, wanted: Mapping[str, Any], options: WriteOptions) -> None:
        budgets = await self._budgets_of(pod)
        if len(budgets) > 1:
            raise StatusError(Status(status="Failure", message=_SEVERAL, code=500))
        unhealthy = False
        if budgets:
            unhealthy = not is_pod_ready(pod) and _spares_unhealthy(budgets[0])
            if not unhealthy:
                await self._charge(budgets[0], pod.metadata.name, options)
        try:
            # An unhealthy pod that was not counted must not have become a healthy one.
            await self._delete(pod, _as_of(pod, wanted) if unhealthy else wanted, options)
        except StatusError as error:
            if unhealthy and failures.is_conflict(error) and not _names_version(wanted):
                raise _not_now(budgets[0].metadata.name) from None
            raise

    async def _budgets_of(self, pod: Pod) -> Sequence[PodDisruptionBudget]:
        if self._budgets is None:
            return ()
        found = await self._budgets.list(pod.metadata.namespace, ReadOptions(resource_version="0"))
        return budgets_of(pod, [item.object for item in found.items])

    async def _charge(self, budget: PodDisruptionBudget, pod: str, options: WriteOptions) -> None:
        """Take one of the disruptions a budget allows. Raises StatusError 429."""
        assert self._budgets is not None
        budgets, now = self._budgets, self._budgets.now()

        def taken(document: Document) -> Document:
            current = msgspec.convert(document, PodDisruptionBudget)
            _check(current)
            status = document["status"]
            status["disruptionsAllowed"] -= 1
            if status["disruptionsAllowed"] == 0:
                condition = allowed_condition(0, current.status.observedGeneration, parse(now))
                others = [each for each in status.get("conditions") or () if each["type"] != DISRUPTION_ALLOWED]
                status["conditions"] = [*others, msgspec.to_builtins(condition)]
            # Until the pod is seen going, the controller must not count it as healthy.
            status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: now}
            document["metadata"].pop("resourceVersion", None)
            return document

        own = WriteOptions(LOOPBACK, dry_run=options.dry_run)
        meta = budget.metadata
        await budgets.change(meta.namespace, meta.name, taken, own, "status", trusted=True, admitted=True)

    async def _delete(self, pod: Pod, wanted: Mapping[str, Any], options: WriteOptions) -> None:
        """Tell the pod why it goes, then delete it. Who may evict it need not be admitted to delete it."""
        pods, meta = self._pods, pod.metadata
        if not options.dry_run:
            preconditions = wanted.get("preconditions") or {}
            condition = {
                "type": DISRUPTION_TARGET,
                "status": "True",
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
                "lastTransitionTime": pods.now(),
            }

            def marked(document: Document) -> Document:
                _check_preconditions(pods, document, preconditions)
                status = document.setdefault("status", {})
                others = [each for each in status.get("conditions") or () if each["type"] != DISRUPTION_TARGET]
                status["conditions"] = [*others, condition]
                document["metadata"].pop("resourceVersion", None)
                return document

            own = WriteOptions(options.user)
            item = await pods.change(meta.namespace, meta.name, marked, own, "status", trusted=True, admitted=True)
            if _names_version(wanted):
                wanted = {**wanted, "preconditions": {**preconditions, "resourceVersion": str(item.revision)}}
        await pods.delete(meta.namespace, meta.name, wanted, options, admitted=True)

    async def _pod(self, namespace: str, name: str) -> Pod:
        pod: Pod = (await self._pods.get(namespace, name)).object
        return pod


def _check(budget: PodDisruptionBudget) -> None:
    """Raises StatusError unless the budget allows a disruption now."""
    meta, status = budget.metadata, budget.status
    if status.observedGeneration < (meta.generation or 0):
        raise _not_now(meta.name)
    if status.disruptionsAllowed < 0 or len(status.disruptedPods) > _MOST_DISRUPTED:
        why = (
            "pdb disruptions allowed is negative"
            if status.disruptionsAllowed < 0
            else "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
        raise failures.forbidden(_BUDGET, meta.name, why)
    if status.disruptionsAllowed == 0:
        refused = failures.too_many_requests(_WOULD_VIOLATE, 0)
        raise failures.with_cause(refused, StatusCause(reason=_CAUSE, message=why_not(budget)))


class _Budget:
    """The resource as upstream's refusals name it."""

    group, plural, qualified = "policy", "poddisruptionbudget", "poddisruptionbudget.policy"


_BUDGET = _Budget()


def _not_now(budget: str) -> StatusError:
    why = f"The disruption budget {budget} is still being processed by the server."
    return failures.with_cause(failures.too_many_requests(_WOULD_VIOLATE, 10), StatusCause(reason=_CAUSE, message=why))


def _spares_unhealthy(budget: PodDisruptionBudget) -> bool:
    """Whether an unhealthy pod of the budget may go for nothing."""
    if budget.spec.unhealthyPodEvictionPolicy == "AlwaysAllow":
        return True
    return budget.status.currentHealthy >= budget.status.desiredHealthy > 0


def _names_version(wanted: Mapping[str, Any]) -> bool:
    return (wanted.get("preconditions") or {}).get("resourceVersion") is not None


def _as_of(pod: Pod, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The delete options, for this version of the pod only."""
    if _names_version(wanted):
        return wanted
    preconditions = {**(wanted.get("preconditions") or {}), "resourceVersion": pod.metadata.resourceVersion}
    return {**wanted, "preconditions": preconditions}


def _check_preconditions(pods: Registry, document: Document, preconditions: Mapping[str, Any]) -> None:
    meta = document["metadata"]
    for field, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        asked = preconditions.get(field)
        if asked and asked != meta.get(field):
            raise failures.conflict(
                pods.resource,
                meta["name"],
                f"the {name} in the precondition ({asked}) does not match the {name} in record ({meta.get(field)}). "
                "The object might have been deleted and then recreated or modified",
            )
