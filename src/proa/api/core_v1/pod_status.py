"""What a pod's status may not become: what has ended for good runs no more, what is bound is not promised elsewhere.

Source: the API reference of core/v1 PodStatus. Not here: the pod's addresses (`pod_network`).
"""

from __future__ import annotations

from collections.abc import Sequence

from proa.api.core_v1.container import Container, ContainerStatus
from proa.api.core_v1.pod import Pod, PodSpec
from proa.api.core_v1.pod_checks import check
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain

_STATUS = Path("status")
# The statuses and the containers they are of; those that debug are not started again.
_CONTAINERS = {
    "containerStatuses": "containers",
    "initContainerStatuses": "initContainers",
    "ephemeralContainerStatuses": "",
}


def check_status(new: Pod, old: Pod, errors: ErrorList) -> None:
    after, before, spec = new.status, old.status, old.spec
    name = after.nominatedNodeName
    if name and name != before.nominatedNodeName:
        check(errors, dns1123_subdomain, name, _STATUS, "nominatedNodeName")
        if spec.nodeName:
            detail = "may not be set on pods that are already bound to a node"
            errors.forbidden(_STATUS.child("nominatedNodeName"), detail)
    if before.qosClass and after.qosClass != before.qosClass:
        errors.immutable(_STATUS.child("qosClass"), after.qosClass)
    if after.observedGeneration < 0:
        detail = "must be a non-negative integer"
        errors.invalid(_STATUS.child("observedGeneration"), after.observedGeneration, detail)
    for field, containers in _CONTAINERS.items():
        for index, status in enumerate(getattr(before, field)):
            ended = status.state.terminated
            if ended is not None and not _may_run(status.name, ended.exitCode, spec, containers):
                _check_ended(status.name, getattr(after, field), _STATUS.child(field).index(index), errors)


def _check_ended(name: str, statuses: Sequence[ContainerStatus], path: Path, errors: ErrorList) -> None:
    """Of a container that has ended for good. path: of what was said of it."""
    found = next((each for each in statuses if each.name == name), None)
    if found is not None and found.state.terminated is None:
        errors.forbidden(path.child("state"), "may not be transitioned to non-terminated state")


def _may_run(name: str, code: int, spec: PodSpec, field: str) -> bool:
    """Whether a container that ended with that exit code may be started again. field: of the spec, '' for none."""
    if not field:
        return False
    containers = (*spec.containers, *spec.initContainers)
    if any(rule.action == "RestartAllContainers" for each in containers for rule in each.restartPolicyRules):
        return True
    container = next((each for each in getattr(spec, field) if each.name == name), None)
    return container is not None and _restarts(container, spec, code)


def _restarts(container: Container, spec: PodSpec, code: int) -> bool:
    """Whether a container that ended with that exit code is started again."""
    policy = container.restartPolicy or spec.restartPolicy
    for rule in container.restartPolicyRules if container.restartPolicy else ():
        codes = rule.exitCodes
        if codes is not None and (code in codes.values) == (codes.operator == "In"):
            return True
    return code != 0 if policy == "OnFailure" else policy != "Never"
