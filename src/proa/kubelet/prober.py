"""One run of one probe (core/v1 Probe): exec, HTTP, TCP, gRPC health. How often and what follows is `probing`."""

from __future__ import annotations

import asyncio

from proa.api.core_v1 import HTTPGetAction, Pod, Probe, TCPSocketAction
from proa.kubelet.httpget import HttpGetError, http_get, http_target, resolve_port
from proa.kubelet.services import AnyContainer
from proa.runtime.protocol import ContainerStatus, Runtime, RuntimeFault

# As much of a command's output as an event shows (bytes).
_SHOWN = 1024


class NetworkProber:
    """Probes real containers: by the runtime, and by connections from the node to the pod."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def probe(
        self, pod: Pod, container: AnyContainer, status: ContainerStatus, probe: Probe, ip: str
    ) -> tuple[bool, str]:
        try:
            if probe.exec is not None:
                return await self._exec(status.id, probe)
            if probe.httpGet is not None:
                return await _http(probe.httpGet, container, ip)
            if probe.tcpSocket is not None:
                return await _tcp(probe.tcpSocket, container, ip)
        except (HttpGetError, RuntimeFault, OSError) as error:
            return False, str(error) or type(error).__name__
        if probe.grpc is not None:
            return False, "gRPC probes are not implemented by this node; use httpGet, tcpSocket or exec"
        return False, "the probe has no handler: one of exec, httpGet, tcpSocket and grpc is needed"

    async def _exec(self, container_id: str, probe: Probe) -> tuple[bool, str]:
        assert probe.exec is not None
        timeout = float(probe.timeoutSeconds or 1)
        try:
            code, out, err = await self._runtime.exec_sync(container_id, probe.exec.command, timeout)
        except TimeoutError:
            return False, f'command "{" ".join(probe.exec.command)}" timed out'
        return code == 0, (out + err)[:_SHOWN].decode(errors="replace")


async def _http(action: HTTPGetAction, container: AnyContainer, ip: str) -> tuple[bool, str]:
    target = http_target(action, container, ip)
    url = f"{target.scheme}://{target.host}:{target.port}{target.path}"
    try:
        status, body = await http_get(target)
    except OSError as error:
        return False, f'Get "{url}": {error}'
    if 200 <= status < 400:
        return True, body[:_SHOWN].decode(errors="replace")
    return False, f"HTTP probe failed with statuscode: {status}"


async def _tcp(action: TCPSocketAction, container: AnyContainer, ip: str) -> tuple[bool, str]:
    host, port = action.host or ip, resolve_port(action.port, container)
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return False, f"dial tcp {host}:{port}: {error}"
    writer.transport.abort()
    return True, ""
