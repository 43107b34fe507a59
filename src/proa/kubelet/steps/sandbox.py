"""Step: the pod's sandbox: its network, its names, its share of the node."""

from __future__ import annotations

from proa.api.core_v1 import Pod, PodSpec
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.kubelet import labels
from proa.kubelet.context import Node
from proa.kubelet.facts import grace_period
from proa.kubelet.hostnames import hostname_of
from proa.kubelet.resources import sandbox_resources
from proa.kubelet.security import pid_mode
from proa.kubelet.services import Outcome, Services, StepError
from proa.kubelet.state import CreateSandbox, PodState, StopSandbox
from proa.rules.qos import qos_class
from proa.runtime.protocol import NamespaceMode, NotFoundError, PortMapping, RuntimeFault, SandboxConfig


async def create(node: Node, pod: Pod, state: PodState, instruction: CreateSandbox) -> Outcome:
    services = node.services
    if instruction.attempt > 0:
        services.events.normal(pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        if state.sandbox is not None:
            await _stop(services, state.sandbox.id)
    try:
        handler = await _runtime_handler(services, pod)
        status = await services.runtime.run_sandbox(sandbox_config(services, pod, instruction.attempt, handler))
    except (RuntimeFault, OSError, TimeoutError) as error:
        text = f"Failed to create pod sandbox: {error}"
        raise StepError("CreatePodSandboxError", str(error), events=[("FailedCreatePodSandBox", text)]) from error
    return Outcome(sandbox=status)


async def stop(node: Node, pod: Pod, state: PodState, instruction: StopSandbox) -> Outcome:
    try:
        await _stop(node.services, instruction.id)
        if instruction.remove:
            await node.services.runtime.remove_sandbox(instruction.id)
    except NotFoundError:
        pass
    except (RuntimeFault, OSError, TimeoutError) as error:
        text = f"error killing pod: {error}"
        raise StepError("KillPodSandboxError", str(error), events=[("FailedKillPod", text)]) from error
    return Outcome()


async def _stop(services: Services, sandbox_id: str) -> None:
    try:
        await services.runtime.stop_sandbox(sandbox_id)
    except NotFoundError:
        return


async def _runtime_handler(services: Services, pod: Pod) -> str:
    """What the runtime calls the pod's RuntimeClass; '' for its default."""
    name = pod.spec.runtimeClassName
    if not name:
        return ""
    found = await services.objects.get(RUNTIME_CLASSES, "", name, pod.metadata.uid)
    if found is None:
        raise RuntimeFault(f'failed to get sandbox runtime: RuntimeClass.node.k8s.io "{name}" not found')
    return found.handler


def sandbox_config(services: Services, pod: Pod, attempt: int, handler: str = "") -> SandboxConfig:
    """The sandbox as the pod's spec asks for it."""
    spec, meta = pod.spec, pod.metadata
    resources = sandbox_resources(pod)
    security = spec.securityContext
    return SandboxConfig(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        attempt=attempt,
        hostname="" if spec.hostNetwork else hostname_of(pod, services.config.cluster_domain),
        log_directory=services.volumes.log_directory(pod),
        labels={
            **meta.labels,
            labels.POD_NAME: meta.name,
            labels.POD_NAMESPACE: meta.namespace,
            labels.POD_UID: meta.uid,
        },
        annotations={**meta.annotations, labels.GRACE_PERIOD: f"{grace_period(pod):g}"},
        network=NamespaceMode.NODE if spec.hostNetwork else NamespaceMode.POD,
        pid=pid_mode(spec),
        ipc=NamespaceMode.NODE if spec.hostIPC else NamespaceMode.POD,
        sysctls={each.name: each.value for each in security.sysctls} if security else {},
        port_mappings=() if spec.hostNetwork else _port_mappings(spec),
        cgroup_parent=f"{services.config.cgroup_root}/pod{meta.uid}",
        qos=qos_class(spec),
        runtime_handler=handler,
        memory_limit=resources.memory_limit,
        cpu_shares=resources.cpu_shares,
        cpu_quota=resources.cpu_quota,
    )


def _port_mappings(spec: PodSpec) -> tuple[PortMapping, ...]:
    return tuple(
        PortMapping(port.hostPort, port.containerPort, port.protocol or "TCP", port.hostIP)
        for container in (*spec.initContainers, *spec.containers)
        for port in container.ports
        if port.hostPort
    )
