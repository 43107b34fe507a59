"""What may change of a pod through its subresources: ephemeral containers come, resources are resized (KEP-1287). Pure.

Not here: whether a node has what is asked for (admission), ordinary updates (the resource's strategy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from proa.api.core_v1 import Container, EphemeralContainer, Pod, ResourceRequirements
from proa.api.core_v1.pod_validation import validate_pod_spec
from proa.machinery.fields import ErrorList, Path
from proa.machinery.scalars import Quantity
from proa.rules.qos import qos_class
from proa.rules.resources import CPU, MEMORY

MIRROR = "kubernetes.io/config.mirror"
_SPEC = Path("spec")
_ROOT = Path("")
_NOTHING = ResourceRequirements()
# A debugging container is no part of what the pod is for: it serves nothing, is not watched and holds nothing.
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
)


def check_ephemeral_containers(new: Pod, old: Pod, errors: ErrorList) -> None:
    """Containers may be added; those there may not change."""
    if MIRROR in old.metadata.annotations:
        errors.forbidden(_ROOT, "static pods do not support ephemeral containers")
        return
    validate_pod_spec(new.spec, _SPEC, errors)
    path = _SPEC.child("ephemeralContainers")
    others = {each.name for each in (*new.spec.containers, *new.spec.initContainers)}
    for position, each in enumerate(new.spec.ephemeralContainers):
        _check_ephemeral(each, others, path.index(position), errors)
    after = {each.name: each for each in new.spec.ephemeralContainers}
    for before in old.spec.ephemeralContainers:
        if before.name not in after:
            errors.forbidden(path, f'existing ephemeral containers "{before.name}" may not be removed\n')
        elif after[before.name] != before:
            errors.forbidden(path, f'existing ephemeral containers "{before.name}" may not be changed\n')


def _check_ephemeral(container: EphemeralContainer, others: set[str], path: Path, errors: ErrorList) -> None:
    if container.targetContainerName and container.targetContainerName not in others:
        errors.not_found(path.child("targetContainerName"), container.targetContainerName)
    for field in _NOT_EPHEMERAL:
        if getattr(container, field) not in (None, (), _NOTHING):
            errors.forbidden(path.child(field), "cannot be set for an Ephemeral Container")
    for position, mount in enumerate(container.volumeMounts):
        for field in ("subPath", "subPathExpr"):
            if getattr(mount, field):
                at = path.child("volumeMounts").index(position).child(field)
                errors.forbidden(at, "cannot be set for an Ephemeral Container")


def check_resize(new: Pod, old: Pod, errors: ErrorList) -> None:
    """cpu and memory, of containers that are there or of the whole pod, may become others; none may be dropped."""
    if MIRROR in old.metadata.annotations:
        errors.forbidden(_ROOT, "static pods cannot be resized")
        return
    if old.spec.os is not None and old.spec.os.name == "windows":
        errors.forbidden(_ROOT, "windows pods cannot be resized")
        return
    validate_pod_spec(new.spec, _SPEC, errors)
    if (old.status.qosClass or qos_class(old.spec)) != qos_class(new.spec):
        errors.invalid(_SPEC, old.status.qosClass, "Pod QOS Class may not change as a result of resizing")
    if not _is_resizable(old):
        errors.forbidden(_SPEC, "Pod running on node without support for resize")
    _check_whole(new, old, errors)
    if not _check_order(new, old, errors):
        return
    for field in ("initContainers", "containers"):
        pairs = zip(getattr(new.spec, field), getattr(old.spec, field), strict=True)
        for position, (after, before) in enumerate(pairs):
            _check_container(after, before, field, _SPEC.child(field).index(position), errors)


def _is_resizable(pod: Pod) -> bool:
    """A node that can resize says what its running containers have."""
    running = next((each for each in pod.status.containerStatuses if each.state.running is not None), None)
    return running is None or running.resources is not None


def _check_whole(new: Pod, old: Pod, errors: ErrorList) -> None:
    path, after, before = _SPEC.child("resources"), new.spec.resources, old.spec.resources
    if before is not None and after is None:
        errors.forbidden(path, "pod-level resources cannot be removed")
        return
    for field in ("requests", "limits"):
        if before is not None and after is not None and _removed(getattr(after, field), getattr(before, field)):
            errors.forbidden(path.child(field), f"pod-level resource {field} cannot be removed")
    if _fixed(after) != _fixed(before):
        errors.forbidden(_SPEC, "only cpu and memory resources are mutable at pod-level")


def _check_order(new: Pod, old: Pod, errors: ErrorList) -> bool:
    wrong = len(errors)
    for field in ("containers", "initContainers"):
        after: Sequence[Container] = getattr(new.spec, field)
        before: Sequence[Container] = getattr(old.spec, field)
        if len(after) != len(before):
            errors.forbidden(_SPEC.child(field), f"{field} may not be added or removed on resize")
            continue
        for position, each in enumerate(before):
            if after[position].name != each.name:
                at = _SPEC.child(field).index(position).child("name")
                errors.forbidden(at, f"{field} may not be renamed or reordered on resize")
    return len(errors) == wrong


def _check_container(after: Container, before: Container, field: str, path: Path, errors: ErrorList) -> None:
    for part in ("requests", "limits"):
        if _removed(getattr(after.resources, part), getattr(before.resources, part)):
            errors.forbidden(path.child("resources", part), f"resource {part} cannot be removed")
    if replace(after, resources=_NOTHING) != replace(before, resources=_NOTHING) or _fixed(after.resources) != _fixed(
        before.resources
    ):
        if field == "containers":
            errors.forbidden(_SPEC, "only cpu and memory resources are mutable")
        else:
            errors.forbidden(path, "only cpu and memory resources for init or sidecar containers are mutable")
    if field == "initContainers" and after != before and before.restartPolicy != "Always":
        restarting = [each for each in after.resizePolicy if each.restartPolicy == "RestartContainer"]
        if restarting:
            errors.forbidden(
                path, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            )


def _removed(after: Mapping[str, Quantity], before: Mapping[str, Quantity]) -> bool:
    return not before.keys() <= after.keys()


def _fixed(resources: ResourceRequirements | None) -> tuple[object, ...]:
    """What of resources no resize may change."""
    if resources is None:
        return {}, {}, ()

    def kept(quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
        return {name: value for name, value in quantities.items() if name not in (CPU, MEMORY)}

    return kept(resources.requests), kept(resources.limits), resources.claims


def needed_features(new: Pod, old: Pod) -> list[str]:
    """What the node of a pod must know how to do for this update, as nodes declare it."""
    needed = []
    if new.spec.resources != old.spec.resources:
        needed.append("InPlacePodLevelResourcesVerticalScaling")
    pairs = zip(new.spec.initContainers, old.spec.initContainers, strict=False)
    if any(before.restartPolicy != "Always" and after.resources != before.resources for after, before in pairs):
        needed.append("InPlacePodVerticalScalingInitContainers")
    return needed
