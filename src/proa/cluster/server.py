"""The server process: API, store, controllers and scheduler in one loop, sharing decoded objects.

Here: the order in which things start and stop. Components still meet only through the API: each gets a client of its
own identity and never another component.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskFailedError
from proa.apiserver.aggregation.trust import FrontProxy
from proa.apiserver.authz.bootstrap import ensure_default_policy
from proa.apiserver.authz.node import NODE_PREFIX, NODES_GROUP
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.custom.conversion import converter_of
from proa.apiserver.custom.serving import CustomResources
from proa.apiserver.identity import AUTHENTICATED, LOOPBACK, MASTERS, FirstOpinion, User
from proa.apiserver.limiting import RequestLimits
from proa.apiserver.plugins.context import PluginContext
from proa.base.collector import tune_for_server
from proa.base.entropy import BlockRandom
from proa.client.events import Events
from proa.client.informer import Informers
from proa.cluster import admission, tls
from proa.cluster.addresses import host_address
from proa.cluster.api_arguments import ApiArguments
from proa.cluster.auditing import make as make_auditor
from proa.cluster.credentials import FRONT_PROXY, Credentials, is_api_server
from proa.cluster.guards import make as make_guards
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings
from proa.control.controller import Context
from proa.control.metrics import duration_samples, queue_samples
from proa.dns.service import cluster_service
from proa.machinery.status import StatusError, is_not_found
from proa.pki.certificates import KeyPair
from proa.pki.tokens import TokenSigner
from proa.store.protocol import Store

if TYPE_CHECKING:
    from proa.client.protocol import Client
    from proa.control.manager import ControllerManager
    from proa.kubelet.simulated import SimulatedNodes
    from proa.runtime.fake import Behaviour
    from proa.runtime.protocol import ContainerConfig
    from proa.scheduler.scheduler import Scheduler

log = logging.getLogger(__name__)

Report = Callable[[str, Mapping[str, Any]], None]
CONTROLLER_MANAGER = User("system:kube-controller-manager", groups=(MASTERS, AUTHENTICATED))
# The certificate and the directory that all simulated nodes share.
SIMULATED = "simulated"
SCHEDULER = User("system:kube-scheduler", groups=(AUTHENTICATED,))


class Trust(msgspec.Struct, frozen=True):
    """By what a server and its tokens are known. root_ca: PEM of who signed it. token_key: signs service-account
    tokens, PEM. tls: as which it serves, None: plain HTTP. kubelet_tls: as which it calls kubelets, None: not at all.
    authority: signs certificates that are asked for in the API, None: nobody does.
    """

    root_ca: str
    token_key: bytes
    tls: ssl.SSLContext | None = None
    kubelet_tls: ssl.SSLContext | None = None
    front_proxy: FrontProxy | None = None
    authority: KeyPair | None = None

    @classmethod
    def of(cls, credentials: Credentials) -> Trust:
        """The trust of a cluster with files."""
        authority = credentials.authority
        return cls(
            root_ca=authority.certificate.read_text(),
            authority=authority.load(),
            token_key=credentials.service_account_key.read_bytes(),
            tls=tls.serving(credentials.files("apiserver").load(), authority.certificate.read_bytes()),
            kubelet_tls=tls.calling(credentials.files("apiserver-kubelet-client"), authority),
            front_proxy=_front_proxy(credentials),
        )


def _front_proxy(credentials: Credentials) -> FrontProxy:
    name = FRONT_PROXY.common_name
    pair = credentials.files(name).load()
    authority = credentials.front_proxy_authority.certificate.read_bytes()
    return FrontProxy(name, authority, pair.certificate, pair.key)


class Control(msgspec.Struct, frozen=True):
    """The components that act on the API."""

    manager: ControllerManager
    scheduler: Scheduler


async def run_server(paths: ClusterPaths, settings: Settings, *, report: Report) -> None:
    """Serve until cancelled. Reports `api-ready` (with `url`), `controllers-ready` and `scheduler-ready`, and with
    simulated nodes `simulated-nodes-ready`.
    """
    clock, random = SystemClock(), BlockRandom()
    async with AsyncExitStack() as stack:
        # Opening the store and making certificates and modules are independent: the store waits for its thread.
        opening = asyncio.create_task(_open_store(paths, clock), name="open store")
        credentials = Credentials(paths, settings, clock.now())
        credentials.ensure_server()
        trust = Trust.of(credentials)
        store = await opening
        stack.push_async_callback(store.close)
        server, informers = await start_api(store, settings, trust, clock, random, stack)
        await server.listen()
        report("api-ready", {"url": settings.server_url})
        await start_control(server, informers, settings, trust, clock, random, stack, report)
        if settings.simulated_nodes:
            credentials.ensure_node(SIMULATED, ["127.0.0.1"])
            serving = credentials.files(f"kubelet-{SIMULATED}").load(), credentials.authority.certificate.read_bytes()
            await start_simulated_nodes(
                server,
                informers,
                settings.simulated_nodes,
                clock,
                random,
                stack,
                logs=paths.node(SIMULATED) / "logs",
                tls=tls.serving(*serving),
            )
            report("simulated-nodes-ready", {"nodes": settings.simulated_nodes})
        tune_for_server()
        await asyncio.get_running_loop().create_future()


async def _open_store(paths: ClusterPaths, clock: Clock) -> Store:
    from proa.store.sqlite.backend import SqliteStore

    return await SqliteStore.open(paths.store, clock=clock)


async def start_api(
    store: Store,
    settings: Settings,
    trust: Trust,
    clock: Clock,
    random: Random,
    stack: AsyncExitStack,
    *,
    host: str = "0.0.0.0",
) -> tuple[ApiServer, Informers]:
    """Everything up to an API that answers in this process; what was started is stopped by `stack`.

    What remains is to `listen` or to `publish`.
    """
    arguments = ApiArguments.of(settings.api_arguments)
    server = ApiServer(
        Config(
            store=store,
            tls=trust.tls,
            host=host,
            port=settings.api_port,
            advertise=host_address(),
            service_cidr=settings.service_cidr,
            kubelet_tls=trust.kubelet_tls,
            clock=clock,
            random=random,
            flags=arguments.shown(),
            limits=RequestLimits(
                arguments.max_requests_inflight,
                arguments.max_mutating_requests_inflight,
                arguments.enable_priority_and_fairness,
                arguments.request_timeout,
            ),
        )
    )
    auditor = make_auditor(server, arguments, clock, random)
    if auditor is not None:
        stack.push_async_callback(auditor.close)
        server.audit(auditor)
    await server.load()
    stack.push_async_callback(server.stop)
    loopback = server.client_for(LOOPBACK)
    informers = Informers(loopback, on_error=_log_failure)
    stack.push_async_callback(informers.close)
    front_proxy = trust.front_proxy
    guards = make_guards(
        server,
        informers,
        arguments,
        clock,
        token_key=trust.token_key,
        root_ca=trust.root_ca,
        front_proxy_ca=front_proxy.authority if front_proxy is not None else b"",
    )
    stack.push_async_callback(guards.close)
    plugins = PluginContext(loopback, informers, random, clock, FirstOpinion(guards.authorizers), server=server)
    server.install(
        authenticators=guards.authenticators,
        authorizers=guards.authorizers,
        admission=(*guards.checks, *admission.plugins(plugins, arguments), *guards.marks),
        token_issuer=guards.token_issuer,
        front_proxy=guards.front_proxy,
        anonymous=guards.anonymous,
        audiences=guards.audiences,
    )
    await informers.start()
    roles = server.checks.step("rbac/bootstrap-roles")
    await ensure_default_policy(loopback)
    roles()
    await guards.synced()
    custom = CustomResources(
        server,
        server.client_for(LOOPBACK, "kube-apiserver"),
        informers,
        clock,
        converter_of=partial(converter_of, server.webhooks, random),
    )
    definitions = server.checks.step("crd-informer-synced")
    await custom.start()
    definitions()
    stack.push_async_callback(custom.close)
    context = Context(server.client_for(LOOPBACK, "kube-aggregator"), informers, Events(loopback, clock), clock)
    await server.attend(context, trust.root_ca, trust.front_proxy)
    return server, informers


async def start_control(
    server: ApiServer,
    informers: Informers,
    settings: Settings,
    trust: Trust,
    clock: Clock,
    random: Random,
    stack: AsyncExitStack,
    report: Report,
) -> Control:
    """Controllers and scheduler, each with its own identity. Imported here: the API waits for none of them."""
    from proa.cluster.dns_endpoints import DnsEndpointsController
    from proa.control.manager import ControllerManager
    from proa.controllers.registry import controllers
    from proa.controllers.settings import Settings as ControllerSettings

    issuer = ApiArguments.of(settings.api_arguments).service_account_issuer[0]
    control = ControllerSettings(
        root_ca=trust.root_ca,
        token_signer=TokenSigner(trust.token_key, issuer),
        authority=trust.authority,
        cluster_cidrs=(settings.pod_cidr,),
    )
    manager = ControllerManager(
        server.client_for(CONTROLLER_MANAGER),
        (*controllers(control), DnsEndpointsController),
        informers=informers,
        clock=clock,
    )
    await manager.start()
    stack.push_async_callback(manager.close)
    server.families.computed(lambda: queue_samples(manager.statistics()["controllers"]))
    server.families.computed(lambda: duration_samples(manager.queues()))
    await _ensure_dns_service(server, settings)
    report("controllers-ready", {})
    # numpy comes with the scheduler: nothing else should wait for its import.
    from proa.scheduler.plugins import default_profile
    from proa.scheduler.scheduler import Scheduler

    client = server.client_for(SCHEDULER)
    events = Events(client, clock)
    await events.start()
    stack.push_async_callback(events.close)
    recorder = events.recorder("default-scheduler")
    scheduler = Scheduler(client, informers, recorder, default_profile(), clock, random)
    await scheduler.start()
    stack.push_async_callback(scheduler.close)
    report("scheduler-ready", {})
    return Control(manager, scheduler)


async def start_simulated_nodes(
    server: ApiServer,
    informers: Informers,
    count: int,
    clock: Clock,
    random: Random,
    stack: AsyncExitStack,
    *,
    behaviour: Callable[[ContainerConfig], Behaviour] | None = None,
    logs: Path | None = None,
    tls: ssl.SSLContext | None = None,
) -> SimulatedNodes:
    """Nodes whose pods are simulated, each with the identity of its kubelet. logs: where to keep what pods print.

    tls: with it the logs and sessions of their pods are served on a free loopback port.
    """
    from proa.kubelet.simulated import SimulatedNodes

    def client_of(name: str) -> Client:
        return server.client_for(User(f"{NODE_PREFIX}{name}", groups=(NODES_GROUP, AUTHENTICATED)), "kubelet")

    nodes = SimulatedNodes(
        server.client_for(LOOPBACK, "kubelet"),
        count,
        clock=clock,
        random=random,
        informers=informers,
        client_of=client_of,
        behaviour=behaviour,
        logs=logs,
    )
    stack.push_async_callback(nodes.close)
    if tls is not None:
        await nodes.serve(tls, is_api_server, address="127.0.0.1", port=0)
    await nodes.start()
    return nodes


async def _ensure_dns_service(server: ApiServer, settings: Settings) -> None:
    from proa.api.core_v1.resources import SERVICES

    service, client = cluster_service(settings.dns_address), server.client_for(LOOPBACK)
    try:
        await client.get(SERVICES, service.metadata.name, service.metadata.namespace)
    except StatusError as error:  # not create first: an address that is taken is refused before a name that is
        if not is_not_found(error):
            raise
        await client.create(SERVICES, service)


def _log_failure(error: TaskFailedError) -> None:
    log.error("%s", error, exc_info=error.__cause__)
