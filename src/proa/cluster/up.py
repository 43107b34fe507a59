"""`proa up`: from nothing, from a stopped or a broken cluster, to one whose API, nodes and DNS answer.

Starts only what does not run, so doing it again changes nothing. What a started component reports is an event; for one
that ran before, the cluster is asked. The server starts first, because everything waits for it, and what a step after
that needs is imported in that step. Not here: what is removed after a crash (`teardown`).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from proa.base.errors import ProaError
from proa.cluster import creation, processes
from proa.cluster.notify import Listener
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import SERVER, Component
from proa.cluster.settings import Settings
from proa.linux.daemon import Daemon

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
        nothing_ran = not alive
        if SERVER in alive and before is not None and _of_server(before) != _of_server(settings):
            processes.stop(alive.pop(SERVER))
        wanted = processes.components(paths, settings)
        started = [each for each in wanted if each.name not in alive]
        waiting = _Waiting(paths, Listener(), say)
        deadline = began + PATIENCE
        try:
            for component in started:
                waiting.add(component, _steps(component, settings))
                if nothing_ran and component.name == SERVER:
                    _prepare_machine(paths, settings, say)
            if SERVER in alive:
                _renew_credentials(paths, settings)
            if started:
                say(f"started {', '.join(each.name for each in started)}")
            waiting.wait(deadline)
        finally:
            waiting.close()
        if len(started) < len(wanted):
            _ask(paths, settings, deadline)
            say("API, nodes and DNS answer" if settings.nodes else "API and nodes answer")
    return Up(settings, before is None, tuple(each.name for each in started))


def _prepare_machine(paths: ClusterPaths, settings: Settings, say: Callable[[str], None]) -> None:
    """Before anything of the cluster makes kernel objects, which the server never does."""
    from proa.cluster import teardown, verify

    if reaped := teardown.reap(paths, settings):
        say(f"removed {reaped} leftovers of a cluster that died")
    verify.remember(paths, settings)


def _renew_credentials(paths: ClusterPaths, settings: Settings) -> None:
    """What runs out, where no starting server looks after it."""
    from proa.cluster.credentials import Credentials

    Credentials(paths, settings, datetime.now(UTC)).ensure_server()


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
    from proa.cluster import health

    client = health.admin_client(paths)
    try:
        while fault := health.fault(client, settings):
            if time.monotonic() > deadline:
                raise StartError(f"not ready after {PATIENCE:.0f} s: {fault}")
            time.sleep(_RETRY)
    finally:
        client.close()
