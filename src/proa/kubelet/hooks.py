"""Lifecycle handlers (core/v1 LifecycleHandler): exec, httpGet, sleep, and the deprecated tcpSocket."""

from __future__ import annotations

import asyncio

from proa.api.core_v1 import LifecycleHandler, Pod
from proa.base.errors import ProaError
from proa.kubelet.httpget import HttpGetError, http_get, http_target
from proa.kubelet.services import AnyContainer, Services
from proa.kubelet.state import PodState
from proa.runtime.protocol import RuntimeFault

# A hook without a deadline of its own: postStart blocks the container until it is done, however long that takes.
_FOREVER = 365 * 86400.0


class HookError(ProaError):
    """The handler failed."""


async def run_hook(
    services: Services,
    pod: Pod,
    state: PodState,
    container_id: str,
    container: AnyContainer | None,
    handler: LifecycleHandler,
) -> None:
    """Run the handler to its end. Raises HookError."""
    if handler.exec is not None:
        try:
            code, out, err = await services.runtime.exec_sync(container_id, handler.exec.command, _FOREVER)
        except RuntimeFault as fault:
            raise HookError(str(fault)) from fault
        if code != 0:
            text = (err or out)[:1024].decode(errors="replace").strip()
            raise HookError(f"command '{' '.join(handler.exec.command)}' exited with {code}: {text}")
    elif handler.httpGet is not None:
        ip = state.sandbox.ips[0] if state.sandbox is not None and state.sandbox.ips else ""
        host_ip = services.host.ips[0] if services.host.ips else "127.0.0.1"
        try:
            target = http_target(handler.httpGet, container, host_ip if pod.spec.hostNetwork else ip)
            status, _ = await http_get(target)
        except (HttpGetError, OSError) as error:
            raise HookError(str(error)) from error
        if not 200 <= status < 400:
            raise HookError(f"HTTP probe failed with statuscode: {status}")
    elif handler.sleep is not None:
        await asyncio.sleep(handler.sleep.seconds)
    else:
        raise HookError("invalid handler: one of exec, httpGet and sleep is needed")
