"""A whole cluster in one process and one loop: memory store, API, controllers, scheduler, nodes without containers.

The same parts in the same order as the server process (`server`), with time and randomness given, so that under a
virtual clock a run repeats exactly. Nothing listens until `serve` is called, and nothing is ever written to disk. Not
here: what tests add to it (`proa.testing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from proa.aio.clock import Clock, SystemClock, VirtualClock
from proa.api.core_v1 import Node
from proa.api.core_v1.resources import NODES
from proa.apiserver.identity import AUTHENTICATED, MASTERS, User
from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.cluster.credentials import ADMIN, kubeconfig
from proa.cluster.server import Control, Trust, start_api, start_control, start_simulated_nodes
from proa.cluster.settings import Settings
from proa.cluster.tls import serving
from proa.pki.certificates import Subject, create_authority, issue, new_private_key
from proa.store.memory import MemoryStore

if TYPE_CHECKING:
    from proa.apiserver.compose import ApiServer
    from proa.control.controller import Chapter
    from proa.kubelet.simulated import SimulatedNodes
    from proa.runtime.fake import Behaviour
    from proa.runtime.protocol import ContainerConfig

T = TypeVar("T")

LOCALHOST = "127.0.0.1"


class CannotServeError(ProaError):
    """Under a virtual clock nothing outside can take part: time would not wait for it."""


class SimulatedCluster:
    """`async with SimulatedCluster(nodes=3) as cluster:` - ready when entered; `cluster.client` is its administrator.

    nodes: simulated ones, named simulated-0 and so on. seed: what chance decides follows from it (names, uids,
    addresses, ties); keys and certificates do not. behaviour: what containers do, beside what their pods' annotations
    say (`proa.runtime.fake`).
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        clock: Clock | None = None,
        seed: int = 0,
        behaviour: Callable[[ContainerConfig], Behaviour] | None = None,
        name: str = "simulated",
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.settings = Settings(name=name, api_port=6443, nodes=0, simulated_nodes=nodes)
        self._random = Random(seed)
        self._behaviour = behaviour
        self._stack = AsyncExitStack()
        self._authority = create_authority(f"proa-{name}", self.clock.now())
        self._server: ApiServer | None = None
        self._control: Control | None = None
        self._nodes: SimulatedNodes | None = None
        self._served = False

    # -- life

    async def start(self) -> None:
        """Everything runs and every node is Ready when this returns."""
        stack, clock, random = self._stack, self.clock, self._random
        store = MemoryStore(clock=clock)
        stack.push_async_callback(store.close)
        trust = self._trust()
        server, informers = await start_api(store, self.settings, trust, clock, random, stack, host=LOCALHOST)
        self._server = server
        await server.publish()
        self._control = await start_control(server, informers, self.settings, trust, clock, random, stack, _unheard)
        self._nodes = await start_simulated_nodes(
            server, informers, self.settings.simulated_nodes, clock, random, stack, behaviour=self._behaviour
        )

    async def close(self) -> None:
        """Stop everything; nothing of it is left."""
        await self._stack.aclose()

    async def __aenter__(self) -> SimulatedCluster:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # -- clients

    @property
    def client(self) -> Client:
        """The administrator's client, in process."""
        return self.client_for(ADMIN.common_name, groups=(MASTERS,))

    def client_for(self, user: str, *, groups: Sequence[str] = (), manager: str = "") -> Client:
        """A client of somebody else, in process: authorized as over HTTPS."""
        return _running(self._server).client_for(User(user, groups=(*groups, AUTHENTICATED)), manager)

    def client_for_service_account(self, namespace: str, name: str) -> Client:
        """A client that may do what pods of this service account may."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return self.client_for(f"system:serviceaccount:{namespace}:{name}", groups=groups)

    async def serve(self) -> str:
        """Open HTTPS on a free port of the loopback interface; the URL. Raises CannotServeError in virtual time."""
        if isinstance(self.clock, VirtualClock):
            raise CannotServeError(
                "a cluster in virtual time cannot be served: its time would not wait for anybody outside"
            )
        server = _running(self._server)
        if not self._served:
            await server.listen(0)
            self._served = True
        return f"https://{LOCALHOST}:{server.port}"

    async def kubeconfig(self) -> str:
        """A kubeconfig file's content for the administrator; serves first. Raises CannotServeError."""
        url = await self.serve()
        pair = issue(self._authority, ADMIN, self.clock.now(), client=True)
        document = kubeconfig(self.settings.name, ADMIN.common_name, url, self._authority.certificate, pair)
        return msgspec.yaml.encode(document).decode()

    # -- nodes

    async def add_node(
        self,
        name: str = "",
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[object] = (),
    ) -> Node:
        """One more node, or a stopped one again."""
        nodes = _running(self._nodes)
        return await self.client.get(NODES, await nodes.add(name, capacity=capacity, labels=labels, taints=taints))

    async def stop_node(self, name: str) -> None:
        """The node falls silent, as a machine without power; `add_node` brings it back."""
        await _running(self._nodes).stop(name)

    # -- what goes on

    def story(self, controller: str, key: str) -> Sequence[Chapter]:
        """The recent reconciles of `key` by a controller."""
        return _running(self._control).manager.story(controller, key)

    def statistics(self) -> dict[str, Any]:
        control = _running(self._control)
        return {
            "server": _running(self._server).statistics(),
            "controllers": control.manager.statistics(),
            "scheduler": control.scheduler.statistics(),
            "nodes": _running(self._nodes).statistics(),
        }

    def _trust(self) -> Trust:
        now, authority = self.clock.now(), self._authority
        tls = None
        if not isinstance(self.clock, VirtualClock):
            addresses = (LOCALHOST, "::1", self.settings.api_service_address)
            pair = issue(
                authority, Subject("kube-apiserver"), now, names=("localhost",), addresses=addresses, server=True
            )
            tls = serving(pair, authority.certificate)
        return Trust(root_ca=authority.certificate.decode(), token_key=new_private_key(), tls=tls, authority=authority)


def _running(part: T | None) -> T:
    if part is None:
        raise RuntimeError("the cluster is not started")
    return part


def _unheard(step: str, details: Mapping[str, Any]) -> None:
    """Nobody waits for single steps here."""
