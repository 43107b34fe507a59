"""`proa up`: from nothing, from a stopped or a broken cluster, to one whose API, nodes and DNS answer.

Starts only what does not run, so doing it again changes nothing. What a started component reports is an event; for one
that ran before, the cluster is asked. Not here: what is removed after a crash (`teardown`).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from proa.base.errors import ProaError
from proa.cluster import creation, down, health, processes, teardown, verify
from proa.cluster.credentials import Credentials
from proa.cluster.notify import Listener
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import SERVER, Component
from proa.cluster.settings import Settings
from proa.kubectl.client import Client
from proa.linux.command import Daemon

PATIENCE = 60.0
"""Seconds without everything being ready after which `up` gives up and says what is missing."""

_RETRY = 0.1
_STEPS = {
    "api-ready": "API ready",
    "controllers-ready": "controllers running",
    "scheduler-ready": "scheduler running",
    "simulated-nodes-ready": "simulated nodes Ready",
    "node-ready": "node {node} Ready",
    "dns-ready": "DNS answers",
}
_SERVER_STEPS = ("api-ready", "controllers-ready", "scheduler-ready")
_AGENT_STEPS = ("node-ready", "dns-ready")

ERROR = "proa: error: "
"""How the command line begins its last word, also in a component's log."""

Tell = Callable[[str, float], None]
"""Called with what is done and the seconds since `up` began."""


class StartError(ProaError):
    """A component ended, or something did not become ready in time; holds the end of the log."""


@dataclass(frozen=True, slots=True)
class Up:
    """settings: of the cluster. new: it did not exist. started: the components that did not run."""

    settings: Settings
    new: bool
    started: tuple[str, ...]


@dataclass(slots=True)
class _Waiting:
    """What is started and not there yet."""

    paths: ClusterPaths
    listener: Listener
    tell: Callable[[str], None]
    running: dict[int, tuple[Component, Daemon]] = field(default_factory=dict)
    missing: set[tuple[str, str]] = field(default_factory=set)

    def add(self, component: Component, steps: Iterable[str]) -> None:
        daemon = processes.start(self.paths, component, self.listener.environment)
        self.running[os.pidfd_open(daemon.pid)] = (component, daemon)
        self.missing.update((component.name, step) for step in steps)

    def wait(self, deadline: float) -> None:
        """Until every step is reported. Raises StartError."""
        poll = select.poll()
        poll.register(self.listener.fileno(), select.POLLIN)
        for descriptor in self.running:
            poll.register(descriptor, select.POLLIN)
        while self.missing:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late()
            ready = [descriptor for descriptor, _ in poll.poll(left * 1000)]
            if dead := [self.running[each] for each in ready if each in self.running]:
                raise self._died(*dead[0])
            self._receive()

    def close(self) -> None:
        for descriptor in self.running:
            os.close(descriptor)
        self.listener.close()

    def _receive(self) -> None:
        report = self.listener.receive(0)
        if report is None:
            return
        self.missing.discard((report.component, report.step))
        words = _STEPS.get(report.step)
        if words:
            self.tell(words.format(node=report.component.removeprefix("agent-")))

    def _died(self, component: Component, daemon: Daemon) -> StartError:
        code = daemon.poll()
        log = self.paths.log(component.name)
        end = processes.tail(log)
        _, said, why = end.rpartition("\n" + ERROR)
        if said:
            return StartError(f"{component.name} ended while starting: {why} ({log} has more)")
        return StartError(f"{component.name} ended with code {code} while starting; the end of {log}:\n{end}")

    def _late(self) -> StartError:
        steps = ", ".join(f"{step} of {component}" for component, step in sorted(self.missing))
        component = min(self.missing)[0]
        log = self.paths.log(component)
        return StartError(f"not ready after {PATIENCE:.0f} s: {steps}; the end of {log}:\n{processes.tail(log)}")


def up(paths: ClusterPaths, wish: creation.Wish, tell: Tell) -> Up:
    """Bring the cluster up. Raises StartError, CannotCreateError, SettingsError, JournalError."""
    began = time.monotonic()

    def say(words: str) -> None:
        tell(words, time.monotonic() - began)

    with processes.changing(paths):
        settings, before = creation.ensure(paths, wish)
        processes.forget_last_boot(paths)
        alive = processes.all_running(paths)
        if not alive:
            if reaped := teardown.reap(paths, settings):
                say(f"removed {reaped} leftovers of a cluster that died")
            verify.remember(paths, settings)
        if SERVER in alive and before is not None and _of_server(before) != _of_server(settings):
            processes.stop(alive.pop(SERVER), down.PATIENCE)
        wanted = processes.components(paths, settings)
        started = [each for each in wanted if each.name not in alive]
        Credentials(paths, settings, datetime.now(UTC)).ensure_server()
        waiting = _Waiting(paths, Listener(), say)
        deadline = began + PATIENCE
        try:
            for component in started:
                waiting.add(component, _steps(component, settings))
            if started:
                say(f"started {', '.join(each.name for each in started)}")
            waiting.wait(deadline)
        finally:
            waiting.close()
        if len(started) < len(wanted):
            _ask(paths, settings, deadline)
            say("API, nodes and DNS answer" if settings.nodes else "API and nodes answer")
    return Up(settings, before is None, tuple(each.name for each in started))


def _of_server(settings: Settings) -> object:
    """The settings that the server, which has the simulated nodes in it, reads only when it starts."""
    return settings.simulated_nodes, settings.api_arguments


def _steps(component: Component, settings: Settings) -> tuple[str, ...]:
    """What it reports on its way."""
    if component.node:
        return _AGENT_STEPS
    return (*_SERVER_STEPS, *(("simulated-nodes-ready",) if settings.simulated_nodes else ()))


def _ask(paths: ClusterPaths, settings: Settings, deadline: float) -> None:
    """Until the API, every node and DNS answer. Raises StartError.

    Asked again and again: what ran before tells us nothing by itself.
    """
    client = health.admin_client(paths)
    try:
        while fault := _fault(client, settings):
            if time.monotonic() > deadline:
                raise StartError(f"not ready after {PATIENCE:.0f} s: {fault}")
            time.sleep(_RETRY)
    finally:
        client.close()


def _fault(client: Client, settings: Settings) -> str:
    if fault := health.api_fault(client):
        return f"the API: {fault}"
    found = health.nodes(client)
    ready = {name for name, node in found.items() if health.is_ready(node)}
    if late := [name for name in processes.node_names(settings) if name not in ready]:
        return f"not Ready: {', '.join(late)}"
    if len(ready) < settings.nodes + settings.simulated_nodes:
        return f"{len(ready)} of {settings.nodes + settings.simulated_nodes} nodes are Ready"
    if settings.nodes and (fault := health.dns_fault(settings)):
        return f"DNS: {fault}"
    return ""
