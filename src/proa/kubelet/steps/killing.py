"""Step: a container ends: its preStop hook, the stop signal, SIGKILL, all within its grace; and is forgotten."""

from __future__ import annotations

import asyncio
import contextlib

from proa.api.core_v1 import Pod
from proa.kubelet.context import Node, with_message
from proa.kubelet.facts import find_container, running
from proa.kubelet.hooks import HookError, run_hook
from proa.kubelet.services import Outcome
from proa.kubelet.state import KillContainer, PodState, RemoveContainer
from proa.runtime.protocol import NotFoundError

# However long the preStop hook took, the container has this many seconds to handle its stop signal.
LEAST_GRACE = 2.0


async def kill(node: Node, pod: Pod, state: PodState, instruction: KillContainer) -> Outcome:
    services = node.services
    path = f"spec.containers{{{instruction.container}}}"
    if instruction.message:
        services.events.normal(pod, "Killing", instruction.message, field_path=path)
    container = find_container(pod, instruction.container)
    status = next((each for each in state.containers if each.id == instruction.id), None)
    grace = instruction.grace
    handler = container.lifecycle.preStop if container is not None and container.lifecycle is not None else None
    if instruction.hook and handler is not None and grace > 0 and running(status):
        began = services.clock.monotonic()
        try:
            async with asyncio.timeout(grace):
                await run_hook(services, pod, state, instruction.id, container, handler)
        except TimeoutError:
            pass  # the grace period is over: what follows is the minimum
        except HookError:
            services.events.warning(pod, "FailedPreStopHook", "PreStopHook failed", field_path=path)
        grace = max(grace - (services.clock.monotonic() - began), LEAST_GRACE)
    try:
        await services.runtime.stop_container(instruction.id, grace)
        ended = await services.runtime.container(instruction.id)
    except NotFoundError:
        return Outcome()
    return Outcome(container=with_message(services, pod, ended))


async def remove(node: Node, pod: Pod, state: PodState, instruction: RemoveContainer) -> Outcome:
    status = next((each for each in state.containers if each.id == instruction.id), None)
    with contextlib.suppress(NotFoundError):
        await node.services.runtime.remove_container(instruction.id)
    if status is not None and status.log_path is not None:
        with contextlib.suppress(FileNotFoundError):
            status.log_path.unlink()
    return Outcome()
