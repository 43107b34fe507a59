"""What a pod's status may not become: what has ended for good runs no more, what is bound is not promised elsewhere.

Source: the API reference of core/v1 PodStatus. Not here: the pod's addresses (`pod_network`).
"""

from __future__ import annotations

from collections.abc import Sequence

from proa.api.core_v1.container import Container, ContainerStatus
from proa.api.core_v1.pod import Pod, PodSpec, PodStatus
from proa.api.core_v1.pod_checks import check
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain

_STATUS = Path("status")


def check_status(new: Pod, old: Pod, errors: ErrorList) -> None:
    after, before, spec = new.status, old.status, old.spec
    name = after.nominatedNodeName
    if name and name != before.nominatedNodeName:
        check(errors, dns1123_subdomain, name, _STATUS, "nominatedNodeName")
        if spec.nodeName:
            detail = "may not be set on pods that are already bound to a node"
            errors.forbidden(_STATUS.child("nominatedNodeName"), detail)
    if after.observedGeneration < 0:
        detail = "must be a non-negative integer"
        errors.invalid(_STATUS.child("observedGeneration"), after.observedGeneration, detail)
    if not _all_may_restart(spec):
        _check_ended(after, before, "containerStatuses", spec.containers, spec, errors)
        _check_ended(after, before, "initContainerStatuses", spec.initContainers, spec, errors)
    _check_ended(after, before, "ephemeralContainerStatuses", (), spec, errors)


def _all_may_restart(spec: PodSpec) -> bool:
    """Whether the end of one container may begin all of them anew."""
    containers = (*spec.containers, *spec.initContainers)
    return any(rule.action == "RestartAllContainers" for each in containers for rule in each.restartPolicyRules)


def _check_ended(
    after: PodStatus, before: PodStatus, field: str, known: Sequence[Container], spec: PodSpec, errors: ErrorList
) -> None:
    """known: the containers that may be started again; an unknown one may not."""
    now: Sequence[ContainerStatus] = getattr(after, field)
    for index, status in enumerate(getattr(before, field)):
        ended = status.state.terminated
        if ended is None:
            continue
        found = next((each for each in now if each.name == status.name), None)
        if found is None or found.state.terminated is not None:
            continue
        container = next((each for each in known if each.name == status.name), None)
        if container is None or not _restarts(container, spec, ended.exitCode):
            where = _STATUS.child(field).index(index).child("state")
            errors.forbidden(where, "may not be transitioned to non-terminated state")


def _restarts(container: Container, spec: PodSpec, code: int) -> bool:
    """Whether a container that ended with that exit code is started again."""
    policy = container.restartPolicy or spec.restartPolicy
    for rule in container.restartPolicyRules if container.restartPolicy else ():
        codes = rule.exitCodes
        if codes is not None and (code in codes.values) == (codes.operator == "In"):
            return True
    return code != 0 if policy == "OnFailure" else policy != "Never"
