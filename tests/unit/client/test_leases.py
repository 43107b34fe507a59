"""Of several candidates one leads: the pure election, and electors against a real API server in virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.aio.tasks import TaskScope
from proa.api.coordination_v1 import Lease, LeaseSpec
from proa.api.coordination_v1.resources import LEASES
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.client.leases import Election, ElectionTimes, LeaderElector
from proa.store.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def held_by(identity: str, *, transitions: int = 0, renewed: str = "t0", seconds: int = 15) -> Lease:
    return Lease(
        spec=LeaseSpec(
            holderIdentity=identity,
            leaseDurationSeconds=seconds,
            renewTime=renewed,
            acquireTime="t0",
            leaseTransitions=transitions,
        )
    )


def test_a_free_lease_is_taken():
    election = Election("a")
    election.observe(None, 0)
    spec = election.propose(0, NOW)
    assert spec is not None
    assert (spec.holderIdentity, spec.leaseDurationSeconds, spec.leaseTransitions) == ("a", 15, 0)
    assert spec.acquireTime == spec.renewTime == "2026-01-01T00:00:00.000000Z"


def test_anothers_lease_is_taken_only_when_it_was_not_renewed_for_its_duration():
    election = Election("a")
    election.observe(held_by("b"), 0)
    assert election.propose(14, NOW) is None
    election.observe(held_by("b", renewed="t1"), 14)
    assert election.propose(20, NOW) is None
    election.observe(held_by("b", renewed="t1"), 28)
    spec = election.propose(29, NOW)
    assert spec is not None
    assert (spec.holderIdentity, spec.leaseTransitions) == ("a", 1)


def test_a_released_lease_is_taken_at_once():
    election = Election("a")
    election.observe(held_by("", transitions=3), 0)
    spec = election.propose(0.1, NOW)
    assert spec is not None
    assert spec.leaseTransitions == 4


def test_a_leader_that_cannot_renew_stops_leading_before_its_lease_ends():
    election = Election("a")
    election.wrote(held_by("a"), 0)
    assert election.is_leader(9.9)
    assert not election.is_leader(10.0)


def test_times_must_leave_room_for_each_other():
    with pytest.raises(ValueError, match="duration > renew_deadline > retry_period"):
        ElectionTimes(10, 10, 2)


def test_two_electors_never_lead_together_and_the_second_takes_over_at_once_after_a_clean_end():
    async def main(clock: VirtualClock) -> None:
        store = MemoryStore(clock=clock)
        server = ApiServer(Config(store=store, clock=clock))
        await server.load()
        client = server.client_for(User("admin", groups=(MASTERS,)))
        leading: list[str] = []
        terms: list[str] = []

        def lead(identity: str):
            async def body() -> None:
                leading.append(identity)
                terms.append(identity)
                assert len(leading) == 1
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    leading.remove(identity)

            return body

        electors = {name: LeaderElector(client, "lock", name, clock=clock) for name in ("a", "b")}
        async with TaskScope("b") as second:
            async with TaskScope("a") as first:
                first.spawn(electors["a"].run(lead("a")), name="a")
                await clock.advance(1)
                second.spawn(electors["b"].run(lead("b")), name="b")
                await clock.advance(60)
                assert terms == ["a"]
            await clock.advance(3)
            assert terms == ["a", "b"]
            lease = await client.get(LEASES, "lock", "kube-system")
            assert (lease.spec.holderIdentity, lease.spec.leaseTransitions) == ("b", 1)
        await server.stop()
        await store.close()

    virtual_run(main)
