"""What is measured: an endpoint from a kubeconfig, or a server of our own; and who the load is.

The load is a service account with a bearer token and a ClusterRoleBinding, not an administrator whom authorization
waves through: its requests are authenticated, authorized by RBAC and admitted like anybody's. All it makes is in one
namespace, which ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benches.load import Endpoint
from benches.server import prepare
from proa.client import kubeconfig
from proa.client.connection import Connection
from proa.client.http import HttpClient
from proa.machinery.status import StatusError

# Seconds for a process to be ready, and to end.
_READY, _END = 20.0, 10.0


@dataclass(frozen=True, slots=True)
class Subject:
    """endpoint: for load, as the service account. client: for preparation, as the kubeconfig's user. pid: of our own
    server, 0 for another's. namespace: where the load may do as it likes."""

    endpoint: Endpoint
    client: HttpClient
    namespace: str
    pid: int = 0

    def path(self, plural: str) -> str:
        """A core/v1 collection in the load's namespace."""
        return f"/api/v1/namespaces/{self.namespace}/{plural}"


class EndedError(Exception):
    """A process of the bench ended or hung where it should have become ready."""


@contextlib.asynccontextmanager
async def process(module: str, *arguments: str) -> AsyncIterator[tuple[int, str]]:
    """A process of this package: its pid and the first line it says. It gets SIGTERM at the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(_READY):
            line = (await child.stdout.readline()).decode().strip()
        if not line:
            raise EndedError(f"{module} ended before it was ready; it said why above")
        yield child.pid, line
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


@contextlib.asynccontextmanager
async def bare(pki: Path) -> AsyncIterator[Endpoint]:
    """The bare handler, with the certificates of this directory."""
    async with process("benches.bare", str(pki)) as (_, port):
        tls = Connection("https://127.0.0.1", ca=(pki / "ca.crt").read_bytes()).tls()
        yield Endpoint("127.0.0.1", int(port), tls, headers=f"Authorization: Bearer {'x' * 900}\r\n")


@contextlib.asynccontextmanager
async def directory(where: Path | None = None) -> AsyncIterator[Path]:
    """A throw-away directory with the files of a cluster."""
    with tempfile.TemporaryDirectory(prefix="proa-bench-", dir=where) as made:
        prepare(Path(made))
        yield Path(made)


@contextlib.asynccontextmanager
async def own(role: str, where: Path, profile: str = "") -> AsyncIterator[Subject]:
    """A server of our own on the files of `where`. role: `api` or `server`."""
    paths, _ = prepare(where)
    more = ("--profile", profile) if profile else ()
    async with process("benches.server", role, str(where), *more) as (pid, _), _opened(paths.kubeconfig(), pid) as made:
        yield made


@contextlib.asynccontextmanager
async def given(path: Path) -> AsyncIterator[Subject]:
    """The current context of a kubeconfig. What the bench makes there is deleted in the end."""
    async with _opened(path, 0) as made:
        try:
            yield made
        finally:
            with contextlib.suppress(StatusError):
                await made.client.document("DELETE", f"/api/v1/namespaces/{made.namespace}")
            with contextlib.suppress(StatusError):
                await made.client.document("DELETE", f"{_BINDINGS}/{made.namespace}")


def endpoint_of(connection: Connection) -> Endpoint:
    """The endpoint a connection leads to, as its user."""
    address = urlsplit(connection.server)
    tls = connection.tls()
    port = address.port or (443 if tls is not None else 80)
    headers = f"Authorization: Bearer {connection.token}\r\n" if connection.token else ""
    return Endpoint(address.hostname or "", port, tls, connection.server_name, headers)


_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@contextlib.asynccontextmanager
async def _opened(path: Path, pid: int) -> AsyncIterator[Subject]:
    connection = kubeconfig.load([path]).connection()
    client = HttpClient(connection, manager="proa-bench", user_agent="proa-bench")
    try:
        namespace = f"bench-{os.getpid()}-{os.urandom(3).hex()}"
        token = await _admit(client, namespace)
        as_account = Connection(
            connection.server,
            ca=connection.ca,
            token=token,
            server_name=connection.server_name,
            insecure=connection.insecure,
        )
        endpoint = endpoint_of(as_account)
        yield Subject(endpoint, client, namespace, pid)
    finally:
        await client.close()


async def _admit(client: HttpClient, namespace: str) -> str:
    """Make the namespace, its account and what the account may do; the account's token."""
    metadata = {"name": namespace}
    await client.document("POST", "/api/v1/namespaces", {"metadata": metadata})
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    # An API server alone has no controller that would make the account `default`, without which it admits no pod.
    try:
        await client.document("POST", accounts, {"metadata": {"name": "default"}})
    except StatusError as error:
        if error.code != 409:
            raise
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    await client.document("POST", _BINDINGS, binding)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    answer = await client.document("POST", f"{accounts}/default/token", request)
    return str(answer["status"]["token"])
