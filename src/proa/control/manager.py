"""Runs a set of controllers as one component, alone or as the elected one of several processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proa.aio.clock import Clock, SystemClock
from proa.aio.queue import KeyedQueue
from proa.aio.tasks import TaskScope
from proa.client.events import Events
from proa.client.informer import Informers
from proa.client.leases import ElectionTimes, LeaderElector
from proa.client.protocol import Client
from proa.control.controller import Chapter, Context, Controller, ControllerRunner

log = logging.getLogger(__name__)

ControllerFactory = Callable[[Context], Controller]


class ControllerManager:
    """The controllers of one process: `await manager.start()` ... `await manager.close()`.

    informers: shared with other components of the process when given, else its own. identity: with one, the manager
    campaigns for the Lease `lease_name` and its controllers run only while it leads.
    """

    def __init__(
        self,
        client: Client,
        factories: Sequence[ControllerFactory],
        *,
        informers: Informers | None = None,
        clock: Clock | None = None,
        identity: str = "",
        lease_name: str = "kube-controller-manager",
        election_times: ElectionTimes | None = None,
    ) -> None:
        self._client = client
        self._factories = tuple(factories)
        self._clock = clock or SystemClock()
        self._own_informers = informers is None
        self.informers = informers or Informers(client)
        self.events = Events(client, self._clock)
        self._runners: dict[str, ControllerRunner] = {}
        self._scope = TaskScope("controller-manager")
        self._elector = (
            LeaderElector(client, lease_name, identity, times=election_times, clock=self._clock) if identity else None
        )

    async def start(self) -> None:
        """Start everything; returns before the informers are synced."""
        await self.events.start()
        if self._own_informers:
            await self.informers.start()
        if self._elector is None:
            await self._start_controllers()
        else:
            self._scope.spawn_forever(self._elector.run(self._lead), name="election")

    async def close(self) -> None:
        """Stop the controllers, give up the lease, stop events and, unless shared, the informers."""
        await self._scope.close()
        await self._stop_controllers()
        await self.events.close()
        if self._own_informers:
            await self.informers.close()

    def story(self, controller: str, key: str) -> Sequence[Chapter]:
        """The recent reconciles of `key` by the controller of this name."""
        return self._runners[controller].story(key)

    def queues(self) -> Mapping[str, KeyedQueue[str]]:
        """The queue of each controller by its name."""
        return {name: runner.controller.queue for name, runner in self._runners.items()}

    def statistics(self) -> dict[str, Any]:
        return {
            "controllers": {name: runner.statistics() for name, runner in self._runners.items()},
            "events": self.events.statistics(),
            "election": self._elector.statistics() if self._elector is not None else {},
        }

    async def _lead(self) -> None:
        try:
            await self._start_controllers()
            await asyncio.get_running_loop().create_future()
        finally:
            await self._stop_controllers()

    async def _start_controllers(self) -> None:
        context = Context(self._client, self.informers, self.events, self._clock)
        for factory in self._factories:
            controller = factory(context)
            if controller.name in self._runners:
                raise ValueError(f"two controllers are named {controller.name!r}")
            self._runners[controller.name] = ControllerRunner(controller)
        for runner in self._runners.values():
            await runner.start()

    async def _stop_controllers(self) -> None:
        runners, self._runners = self._runners, {}
        for runner in runners.values():
            await runner.close()
