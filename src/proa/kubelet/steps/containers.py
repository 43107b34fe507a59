"""Step: a container is created in the sandbox, started, and its postStart hook has run."""

from __future__ import annotations

import msgspec

from proa.api.core_v1 import EphemeralContainer, Pod
from proa.kubelet import labels
from proa.kubelet.context import Node
from proa.kubelet.environment import environment, expand
from proa.kubelet.facts import container_hash, find_container, grace_period
from proa.kubelet.hooks import HookError, run_hook
from proa.kubelet.resources import container_resources
from proa.kubelet.security import security_context
from proa.kubelet.services import AnyContainer, Outcome, Services, StepError
from proa.kubelet.state import PodState, StartContainer
from proa.machinery.quantity import parse
from proa.runtime.protocol import ContainerConfig, NotFoundError, RuntimeFault


async def start(node: Node, pod: Pod, state: PodState, instruction: StartContainer) -> Outcome:
    services = node.services
    container = find_container(pod, instruction.container)
    if container is None or state.sandbox is None:
        raise StepError("CreateContainerConfigError", f"the pod has no container {instruction.container} any more")
    path = f"spec.containers{{{container.name}}}"
    config = await container_config(services, pod, state, container, instruction.attempt)
    try:
        identity = await services.runtime.create_container(state.sandbox.id, config)
    except (RuntimeFault, OSError, TimeoutError) as error:
        reason = getattr(error, "reason", "") or "CreateContainerError"
        raise StepError(reason, str(error), events=[("Failed", f"Error: {error}")]) from error
    services.events.normal(pod, "Created", "Container created", field_path=path)
    try:
        await services.runtime.start_container(identity)
    except (RuntimeFault, OSError, TimeoutError) as error:
        # The runtime keeps a container that could not start as exited, so that its message can be read.
        reason = getattr(error, "reason", "") or "RunContainerError"
        try:
            ended = await services.runtime.container(identity)
        except NotFoundError:
            ended = None
        raise StepError(reason, str(error), events=[("Failed", f"Error: {error}")], container=ended) from error
    services.events.normal(pod, "Started", "Container started", field_path=path)
    handler = container.lifecycle.postStart if container.lifecycle is not None else None
    if handler is not None:
        try:
            await run_hook(services, pod, state, identity, container, handler)
        except HookError as error:
            services.events.warning(pod, "FailedPostStartHook", "PostStartHook failed", field_path=path)
            services.events.normal(pod, "Killing", "FailedPostStartHook", field_path=path)
            await services.runtime.stop_container(identity, grace_period(pod))
            ended = await services.runtime.container(identity)
            raise StepError("PostStartHookError", f"PostStartHook failed: {error}", container=ended) from error
    return Outcome(container=await services.runtime.container(identity))


async def container_config(
    services: Services, pod: Pod, state: PodState, container: AnyContainer, attempt: int
) -> ContainerConfig:
    """Everything the runtime must know of one container. Raises StepError (CreateContainerConfigError)."""
    ips = state.sandbox.ips if state.sandbox is not None else ()
    env = await environment(services, pod, container, ips)
    image = await services.images.find(container.image)
    if image is None:
        raise StepError("CreateContainerError", f'image "{container.image}" has been removed meanwhile')
    target = ""
    if isinstance(container, EphemeralContainer) and container.targetContainerName:
        aimed = state.current(container.targetContainerName)
        if aimed is None:
            raise StepError(
                "CreateContainerConfigError", f"unable to find target container {container.targetContainerName}"
            )
        target = aimed.id
    meta = pod.metadata
    memory = parse(services.config.capacity.get("memory", 0)).value
    return ContainerConfig(
        name=container.name,
        image=container.image,
        attempt=attempt,
        command=tuple(expand(each, env) for each in container.command),
        args=tuple(expand(each, env) for each in container.args),
        working_dir=container.workingDir,
        env=tuple(env.items()),
        mounts=await services.volumes.mounts(pod, container, attempt, env, ips),
        labels={
            labels.POD_NAME: meta.name,
            labels.POD_NAMESPACE: meta.namespace,
            labels.POD_UID: meta.uid,
            labels.CONTAINER_NAME: container.name,
        },
        annotations={
            labels.CONTAINER_HASH: container_hash(container),
            labels.RESOURCES: msgspec.json.encode(container.resources).decode(),
            labels.RESTART_COUNT: str(attempt),
            labels.TERMINATION_MESSAGE_PATH: container.terminationMessagePath,
            labels.TERMINATION_MESSAGE_POLICY: container.terminationMessagePolicy,
        },
        log_path=f"{container.name}/{attempt}.log",
        stdin=container.stdin,
        stdin_once=container.stdinOnce,
        tty=container.tty,
        stop_signal=(container.lifecycle.stopSignal or "") if container.lifecycle is not None else "",
        resources=container_resources(pod, container, memory),
        security=security_context(pod, container, image.user, target),
    )
