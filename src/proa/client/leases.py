"""Leader election on a coordination.k8s.io/v1 Lease: of several processes with one name, one acts.

`Election` is the pure state machine: it sees the lease and the local clock and says what to write. `LeaderElector`
drives it. Time is measured locally from when a change of the lease was seen, so the clocks of the candidates need not
agree. Not here: node heartbeats (kubelet, node lifecycle), which only share the type.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskScope
from proa.api.coordination_v1 import Lease, LeaseSpec
from proa.api.coordination_v1.resources import LEASES
from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import is_already_exists, is_conflict, is_not_found
from proa.machinery.timestamps import format_micro_time

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ElectionTimes:
    """Seconds: how long a lease lasts unrenewed, how long the leader tries to renew it, and how often anyone tries."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration > self.renew_deadline > self.retry_period > 0:
            raise ValueError(f"leader election needs duration > renew_deadline > retry_period > 0, got {self}")


class Election:
    """Who leads, as far as `identity` can know."""

    def __init__(self, identity: str, times: ElectionTimes | None = None) -> None:
        self.identity = identity
        self.times = times or ElectionTimes()
        self._observed: LeaseSpec | None = None
        self._observed_at = 0.0
        self._renewed_at: float | None = None

    @property
    def leader(self) -> str:
        """The holder last seen."""
        return (self._observed.holderIdentity or "") if self._observed is not None else ""

    def is_leader(self, now: float) -> bool:
        """Whether it may act: it holds the lease and renewed it within the renew deadline. `now` is monotonic."""
        return (
            self.leader == self.identity
            and self._renewed_at is not None
            and now - self._renewed_at < self.times.renew_deadline
        )

    def observe(self, lease: Lease | None, now: float) -> None:
        """This is what the API holds."""
        spec = lease.spec if lease is not None else None
        if spec != self._observed:
            self._observed = spec
            self._observed_at = now

    def propose(self, now: float, date: datetime) -> LeaseSpec | None:
        """What to write to lead, or to go on leading; None while somebody else's lease has not run out."""
        seen = self._observed
        holder = self.leader
        stamp = format_micro_time(date)
        if seen is not None and holder and holder != self.identity:
            lasts = float(seen.leaseDurationSeconds or self.times.duration)
            if now < self._observed_at + lasts:
                return None
        mine = seen is not None and holder == self.identity
        transitions = (seen.leaseTransitions or 0) if seen is not None else 0
        return LeaseSpec(
            holderIdentity=self.identity,
            leaseDurationSeconds=max(1, round(self.times.duration)),
            acquireTime=seen.acquireTime if mine and seen is not None else stamp,
            renewTime=stamp,
            leaseTransitions=transitions if mine or seen is None else transitions + 1,
        )

    def wrote(self, lease: Lease, now: float) -> None:
        """The proposal was accepted."""
        self.observe(lease, now)
        self._renewed_at = now


class LeaderElector:
    """Runs `lead` while this process leads, cancels it when it loses the lease, and gives the lease up on close."""

    def __init__(
        self,
        client: Client,
        name: str,
        identity: str,
        *,
        namespace: str = "kube-system",
        times: ElectionTimes | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._client = client
        self._clock = clock or SystemClock()
        self._election = Election(identity, times)
        self._lease: Lease | None = None
        self._terms = 0

    @property
    def is_leader(self) -> bool:
        return self._election.is_leader(self._clock.monotonic())

    @property
    def leader(self) -> str:
        return self._election.leader

    def statistics(self) -> dict[str, Any]:
        return {"leader": self.leader, "leads": self.is_leader, "terms": self._terms}

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Campaign for ever. `lead` runs as long as the lease is held; when it returns, so does this.

        A failure of `lead` comes out of here, with the lease released.
        """
        try:
            while True:
                while not await self._try():  # noqa: ASYNC110 - another process renews the lease, no event tells
                    await asyncio.sleep(self._election.times.retry_period)
                self._terms += 1
                log.info("%s leads as %s", self.name, self._election.identity)
                if await self._term(lead):
                    return
                log.warning("%s no longer leads: %s could not renew the lease", self.name, self._election.identity)
        finally:
            await self._release()

    async def _term(self, lead: Callable[[], Awaitable[None]]) -> bool:
        """One term: True when `lead` returned by itself."""
        async with TaskScope(f"leader/{self.name}") as scope:
            leading = scope.spawn(_awaited(lead), name="lead")
            while self.is_leader and not leading.done():
                await asyncio.wait([leading], timeout=self._election.times.retry_period)
                if not leading.done():
                    await self._try()
            return leading.done()

    async def _try(self) -> bool:
        """Acquire or renew once; whether we lead."""
        election, clock = self._election, self._clock
        try:
            async with asyncio.timeout(election.times.renew_deadline):
                await self._write()
        except (ProaError, OSError, TimeoutError) as error:
            self._lease = None
            if not (is_conflict(error) or is_already_exists(error)):
                log.warning("lease %s/%s: %s", self.namespace, self.name, error)
        return election.is_leader(clock.monotonic())

    async def _write(self) -> None:
        election, clock = self._election, self._clock
        if self._lease is None or election.leader != election.identity:
            try:
                self._lease = await self._client.get(LEASES, self.name, self.namespace)
            except ProaError as error:
                if not is_not_found(error):
                    raise
                self._lease = None
            election.observe(self._lease, clock.monotonic())
        began = clock.monotonic()
        spec = election.propose(began, clock.now())
        if spec is None:
            return
        if self._lease is None:
            lease = Lease(metadata=ObjectMeta(name=self.name, namespace=self.namespace), spec=spec)
            self._lease = await self._client.create(LEASES, lease)
        else:
            self._lease = await self._client.update(LEASES, msgspec.structs.replace(self._lease, spec=spec))
        election.wrote(self._lease, began)

    async def _release(self) -> None:
        """Give the lease up, so that the next leader need not wait for it to run out."""
        if self._lease is None or not self.is_leader:
            return
        spec = msgspec.structs.replace(self._lease.spec, holderIdentity="", leaseDurationSeconds=1)
        try:
            await self._client.update(LEASES, msgspec.structs.replace(self._lease, spec=spec))
        except (ProaError, OSError) as error:
            log.info("lease %s/%s not given up: %s", self.namespace, self.name, error)


async def _awaited(lead: Callable[[], Awaitable[None]]) -> None:
    await lead()
