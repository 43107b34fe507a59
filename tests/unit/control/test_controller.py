"""The harness every controller runs in: triggers, retries, stories, own writes, election."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.api.core_v1 import ConfigMap, Pod, Secret
from proa.api.core_v1.resources import CONFIG_MAPS, EVENTS, PODS, SECRETS
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.client.informer import key_of
from proa.control.batches import slow_start
from proa.control.controller import Controller
from proa.control.freshness import OwnWrites
from proa.control.manager import ControllerManager
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import set_condition
from proa.control.triggers import For, Maps, Owns
from proa.machinery.meta import Condition, ObjectMeta
from proa.machinery.status import conflict
from proa.rules.owners import controller_reference
from proa.store.memory import MemoryStore


def config_map(name: str, **meta: Any) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", **meta))


class Recording(Controller):
    """Does what `script` says for each key, and remembers when it was asked."""

    name = "recording"
    script: Callable[[Recording, str], Outcome] = staticmethod(lambda self, key: DONE)

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.calls: list[tuple[float, str]] = []

    @property
    def triggers(self) -> Any:
        return (
            For(CONFIG_MAPS),
            Owns(SECRETS),
            Maps(PODS, lambda old, new: [f"default/{(new or old).metadata.name}"]),
        )

    async def reconcile(self, key: str) -> Outcome:
        self.calls.append((self.clock.monotonic(), key))
        return self.script(self, key)


Body = Callable[[VirtualClock, Any, ControllerManager, list[Recording]], Coroutine[Any, Any, None]]


def run(body: Body, script: Any = None, **options: Any) -> None:
    async def main(clock: VirtualClock) -> None:
        store = MemoryStore(clock=clock)
        server = ApiServer(Config(store=store, clock=clock))
        await server.load()
        client = server.client_for(User("admin", groups=(MASTERS,)))
        made: list[Recording] = []

        def make(context: Any) -> Recording:
            controller = Recording(context)
            if script is not None:
                controller.script = script
            made.append(controller)
            return controller

        manager = ControllerManager(client, [make], clock=clock, **options)
        await manager.start()
        await clock.settle()
        try:
            await body(clock, client, manager, made)
        finally:
            await manager.close()
            await server.stop()
            await store.close()

    virtual_run(main)


def test_changes_of_its_objects_of_owned_ones_and_of_mapped_ones_bring_a_key_up():
    async def body(clock, client, manager, made):
        owner = await client.create(CONFIG_MAPS, config_map("a"))
        await clock.settle()
        assert [key for _, key in made[0].calls] == ["default/a"]
        meta = ObjectMeta(name="s", namespace="default", ownerReferences=(controller_reference(owner),))
        await client.create(SECRETS, Secret(metadata=meta))
        await clock.settle()
        assert [key for _, key in made[0].calls] == ["default/a"] * 2
        stranger = ObjectMeta(name="t", namespace="default")
        await client.create(SECRETS, Secret(metadata=stranger))
        await clock.settle()
        assert len(made[0].calls) == 2
        await client.delete(SECRETS, "s", "default")
        await client.delete(CONFIG_MAPS, "a", "default")
        await clock.settle()
        assert {key for _, key in made[0].calls[2:]} == {"default/a"}

    run(body)


def test_a_requeue_comes_when_it_was_asked_for_and_is_told_in_the_story():
    outcomes = [requeue_after(30, "waiting"), DONE]

    async def body(clock, client, manager, made):
        await client.create(CONFIG_MAPS, config_map("a"))
        await clock.advance(60)
        times = [when for when, _ in made[0].calls]
        assert times[1] - times[0] == pytest.approx(30)
        assert [each.outcome for each in manager.story("recording", "default/a")] == ["again in 30 s: waiting", "done"]

    run(body, lambda self, key: outcomes.pop(0))


def test_failures_are_retried_with_doubling_pauses_and_counted_apart_from_lost_races():
    failures: list[Exception | None] = [ValueError("bug"), ValueError("bug"), conflict(CONFIG_MAPS, "a"), None]

    def script(self, key):
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return DONE

    async def body(clock, client, manager, made):
        await client.create(CONFIG_MAPS, config_map("a"))
        await clock.advance(5)
        times = [when for when, _ in made[0].calls]
        pauses = [round(after - before, 4) for before, after in itertools.pairwise(times)]
        assert pauses == [0.005, 0.01, 0.02]
        statistics = manager.statistics()["controllers"]["recording"]
        assert (statistics["errors"], statistics["conflicts"], statistics["reconciles"]) == (2, 1, 4)
        assert statistics["queue"]["failing"] == 0
        assert manager.story("recording", "default/a")[0].outcome == "ValueError: bug"

    run(body, script)


def test_of_two_managers_only_the_elected_one_works_and_the_other_follows():
    async def body(clock, client, manager, made):
        other_made: list[Recording] = []

        def make(context):
            other_made.append(Recording(context))
            return other_made[-1]

        other = ControllerManager(client, [make], clock=clock, identity="second")
        await other.start()
        await client.create(CONFIG_MAPS, config_map("a"))
        await clock.advance(30)
        assert len(made) == 1
        assert [key for _, key in made[0].calls] == ["default/a"]
        assert other_made == []
        assert manager.statistics()["election"]["leads"]
        await manager.close()
        await clock.advance(5)
        assert [key for _, key in other_made[0].calls] == ["default/a"]
        await other.close()

    run(body, identity="first")


def test_a_key_waits_until_its_own_writes_are_seen():
    async def body(clock, client, manager, made):
        informer = manager.informers.informer(CONFIG_MAPS)
        writes = OwnWrites(informer, clock)
        created = await client.create(CONFIG_MAPS, config_map("a"))
        writes.wrote("key", created)
        assert not writes.seen("key")
        assert writes.seen("another")
        await clock.settle()
        assert writes.seen("key")
        await client.delete(CONFIG_MAPS, "a", "default")
        writes.deleted("key", created)
        assert not writes.seen("key")
        await clock.settle()
        assert writes.seen("key")
        assert writes.statistics() == {"keys_waiting": 0}

    run(body)


def test_events_reach_the_api_without_the_teller_waiting():
    async def body(clock, client, manager, made):
        about = await client.create(CONFIG_MAPS, config_map("a"))
        recorder = manager.events.recorder("tester")
        recorder.normal(about, "Tried", "it was tried")
        recorder.normal(about, "Tried", "it was tried")
        assert list((await client.list(EVENTS, "default")).items) == []
        await clock.advance(1)
        (event,) = (await client.list(EVENTS, "default")).items
        assert (event.count, event.reason, event.involvedObject.uid) == (2, "Tried", about.metadata.uid)

    run(body)


def test_a_slow_start_stops_after_the_first_batch_that_fails():
    async def body(clock, client, manager, made):
        started = []

        async def action() -> None:
            started.append(None)
            if len(started) > 3:
                raise ValueError("enough")

        with pytest.raises(ValueError, match="enough"):
            await slow_start(100, action)
        assert len(started) == 1 + 2 + 4

    run(body)


def test_a_condition_keeps_its_transition_time_while_its_status_stays():
    first = Condition(type="Ready", status="True", lastTransitionTime="t1", reason="A", message="m")
    conditions = set_condition((), first)
    same = Condition(type="Ready", status="True", lastTransitionTime="t2", reason="A", message="m")
    assert set_condition(conditions, same) is conditions
    (changed,) = set_condition(conditions, Condition(type="Ready", status="True", lastTransitionTime="t2", reason="B"))
    assert (changed.reason, changed.lastTransitionTime) == ("B", "t1")
    (turned,) = set_condition(conditions, Condition(type="Ready", status="False", lastTransitionTime="t2", reason="B"))
    assert turned.lastTransitionTime == "t2"


def test_keys_of_pods_are_mapped():
    pod = Pod(metadata=ObjectMeta(name="p", namespace="default"))
    assert key_of(pod) == "default/p"
    assert list(Maps(PODS, lambda old, new: [key_of(new)]).keys(CONFIG_MAPS, None, pod)) == ["default/p"]
