"""The server process: API, store, controllers and scheduler in one loop, sharing decoded objects.

Here: the order in which things start and stop. Components still meet only through the API: each gets a client of its
own identity and never another component.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from random import SystemRandom
from typing import Any

from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskFailedError
from proa.apiserver.authn.certificates import CertificateAuthenticator
from proa.apiserver.authn.service_accounts import ServiceAccountTokens
from proa.apiserver.authz.bootstrap import ensure_default_policy
from proa.apiserver.authz.node import NodeAuthorizer
from proa.apiserver.authz.rbac import RbacAuthorizer
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import AUTHENTICATED, LOOPBACK, MASTERS, User
from proa.apiserver.plugins import default_plugins
from proa.client.events import Events
from proa.client.informer import Informers
from proa.cluster import tls
from proa.cluster.addresses import host_address
from proa.cluster.credentials import Credentials
from proa.cluster.dns_endpoints import DnsEndpointsController
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings
from proa.control.manager import ControllerManager
from proa.controllers.registry import controllers
from proa.controllers.settings import Settings as ControllerSettings
from proa.dns.service import cluster_service
from proa.machinery.status import StatusError, is_already_exists
from proa.pki.tokens import TokenSigner
from proa.store.protocol import Store

log = logging.getLogger(__name__)

Report = Callable[[str, Mapping[str, Any]], None]
AUDIENCE = "https://kubernetes.default.svc.cluster.local"
CONTROLLER_MANAGER = User("system:kube-controller-manager", groups=(MASTERS, AUTHENTICATED))
SCHEDULER = User("system:kube-scheduler", groups=(AUTHENTICATED,))


async def run_server(paths: ClusterPaths, settings: Settings, *, report: Report) -> None:
    """Serve until cancelled. Reports `api-ready` (with `url`), `controllers-ready` and `scheduler-ready`."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        # Opening the store and making certificates and modules are independent: the store waits for its thread.
        opening = asyncio.create_task(_open_store(paths, clock), name="open store")
        credentials = Credentials(paths, settings, clock.now())
        credentials.ensure_server()
        store = await opening
        stack.push_async_callback(store.close)
        server, informers = await start_api(store, settings, credentials, clock, stack)
        report("api-ready", {"url": settings.server_url})
        await start_control(server, informers, settings, credentials, clock, stack, report)
        await asyncio.get_running_loop().create_future()


async def _open_store(paths: ClusterPaths, clock: Clock) -> Store:
    from proa.store.sqlite.backend import SqliteStore

    return await SqliteStore.open(paths.store, clock=clock)


async def start_api(
    store: Store, settings: Settings, credentials: Credentials, clock: Clock, stack: AsyncExitStack
) -> tuple[ApiServer, Informers]:
    """Everything up to an API that answers; what was started is stopped by `stack`."""
    kubelet_client = credentials.files("apiserver-kubelet-client")
    server = ApiServer(
        Config(
            store=store,
            tls=tls.serving(credentials.files("apiserver"), credentials.authority),
            host="0.0.0.0",
            port=settings.api_port,
            advertise=host_address(),
            service_cidr=settings.service_cidr,
            kubelet_tls=tls.calling(kubelet_client, credentials.authority),
            clock=clock,
        )
    )
    await server.load()
    stack.push_async_callback(server.stop)
    loopback = server.client_for(LOOPBACK)
    informers = Informers(loopback, on_error=_log_failure)
    stack.push_async_callback(informers.close)
    signer = TokenSigner(credentials.service_account_key.read_bytes(), AUDIENCE)
    tokens = ServiceAccountTokens(signer, (AUDIENCE,), loopback, clock)
    rbac, node = RbacAuthorizer(informers), NodeAuthorizer(informers)
    server.install(
        authenticators=(CertificateAuthenticator(), tokens),
        authorizers=(node, rbac),
        admission=default_plugins(loopback, informers, SystemRandom()),
        token_issuer=tokens,
    )
    await informers.start()
    await ensure_default_policy(loopback)
    await rbac.synced()
    await node.synced()
    await server.listen()
    return server, informers


async def start_control(
    server: ApiServer,
    informers: Informers,
    settings: Settings,
    credentials: Credentials,
    clock: Clock,
    stack: AsyncExitStack,
    report: Report,
) -> None:
    """Controllers and scheduler, each with its own identity."""
    root_ca = credentials.authority.certificate.read_text()
    control = ControllerSettings(root_ca=root_ca, cluster_cidrs=(settings.pod_cidr,))
    manager = ControllerManager(
        server.client_for(CONTROLLER_MANAGER),
        (*controllers(control), DnsEndpointsController),
        informers=informers,
        clock=clock,
    )
    await manager.start()
    stack.push_async_callback(manager.close)
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
    scheduler = Scheduler(client, informers, recorder, default_profile(), clock, SystemRandom())
    await scheduler.start()
    stack.push_async_callback(scheduler.close)
    report("scheduler-ready", {})


async def _ensure_dns_service(server: ApiServer, settings: Settings) -> None:
    from proa.api.core_v1.resources import SERVICES

    try:
        await server.client_for(LOOPBACK).create(SERVICES, cluster_service(settings.dns_address))
    except StatusError as error:
        if not is_already_exists(error):
            raise


def _log_failure(error: TaskFailedError) -> None:
    log.error("%s", error, exc_info=error.__cause__)
