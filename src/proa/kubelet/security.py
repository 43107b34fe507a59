"""The security context a container runs under: its own over its pod's (core/v1 SecurityContext, PodSecurityContext)."""

from __future__ import annotations

from proa.api.core_v1 import Pod, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext
from proa.kubelet.services import AnyContainer, StepError
from proa.runtime import protocol as runtime

_NO_POD = PodSecurityContext()
_NO_CONTAINER = SecurityContext()


def security_context(
    pod: Pod, container: AnyContainer, image_user: str, target_container: str = ""
) -> runtime.SecurityContext:
    """What the runtime is asked to enforce. Raises StepError when runAsNonRoot would be broken or cannot be checked."""
    shared = pod.spec.securityContext or _NO_POD
    own = container.securityContext or _NO_CONTAINER
    user = own.runAsUser if own.runAsUser is not None else shared.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else shared.runAsGroup
    if own.runAsNonRoot if own.runAsNonRoot is not None else shared.runAsNonRoot:
        _verify_non_root(pod, container, user, image_user)
    privileged = bool(own.privileged)
    unmasked = privileged or own.procMount == "Unmasked"
    supplemental = list(shared.supplementalGroups)
    if shared.fsGroup is not None and shared.fsGroup not in supplemental:
        supplemental.append(shared.fsGroup)
    capabilities = own.capabilities
    return runtime.SecurityContext(
        privileged=privileged,
        user=user,
        username="" if user is not None else image_user if not image_user.split(":")[0].isdigit() else "",
        group=group,
        supplemental_groups=tuple(supplemental),
        readonly_rootfs=bool(own.readOnlyRootFilesystem),
        no_new_privileges=own.allowPrivilegeEscalation is False,
        add_capabilities=tuple(capabilities.add) if capabilities else (),
        drop_capabilities=tuple(capabilities.drop) if capabilities else (),
        seccomp="Unconfined" if privileged else _seccomp(own.seccompProfile or shared.seccompProfile),
        masked_paths=() if unmasked else None,
        readonly_paths=() if unmasked else None,
        pid=pid_mode(pod.spec),
        target_container=target_container,
    )


def pid_mode(spec: PodSpec) -> runtime.NamespaceMode:
    if spec.hostPID:
        return runtime.NamespaceMode.NODE
    return runtime.NamespaceMode.POD if spec.shareProcessNamespace else runtime.NamespaceMode.CONTAINER


def _seccomp(profile: SeccompProfile | None) -> str:
    """Without one the runtime's default applies: the safer reading of a field the API leaves to the node."""
    if profile is None or profile.type == "RuntimeDefault":
        return "RuntimeDefault"
    if profile.type == "Localhost":
        return f"localhost/{profile.localhostProfile or ''}"
    return "Unconfined"


def _verify_non_root(pod: Pod, container: AnyContainer, user: int | None, image_user: str) -> None:
    who = f'(pod: "{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})", container: {container.name})'
    if user is not None:
        problem = f"container's runAsUser breaks non-root policy {who}" if user == 0 else ""
    else:
        name = image_user.split(":")[0]
        if name in ("", "0"):
            problem = f"container has runAsNonRoot and image will run as root {who}"
        elif not name.isdigit():
            problem = (
                f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root "
                f"{who}"
            )
        else:
            problem = ""
    if problem:
        raise StepError("CreateContainerConfigError", problem, events=[("Failed", f"Error: {problem}")])
