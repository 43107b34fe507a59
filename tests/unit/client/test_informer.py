"""What an informer promises its readers, against a scripted client under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.api.core_v1 import ConfigMap
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.client.informer import Informer, Informers, key_of, split_key
from proa.client.protocol import Listing, WatchEvent
from proa.machinery.form import DeclaredForm
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import Resource
from proa.machinery.status import service_unavailable, too_large_resource_version, too_old_resource_version
from proa.machinery.unstructured import Unstructured


def config_map(name: str, revision: int, *, namespace: str = "ns", uid: str = "", **labels: str) -> ConfigMap:
    meta = ObjectMeta(
        name=name, namespace=namespace, resourceVersion=str(revision), uid=uid or f"uid-{name}", labels=labels
    )
    return ConfigMap(metadata=meta)


class ScriptedClient:
    """Answers list and watch from queues: a value is given, an exception raised, a watch lives until told to end."""

    def __init__(self, *listings: Any) -> None:
        self.listings: list[Any] = list(listings)
        self.listed: list[tuple[str, str]] = []
        self.watched: list[str] = []
        self.events: asyncio.Queue[Any] = asyncio.Queue()

    async def list(self, resource: Any, namespace: str = "", **options: Any) -> Listing[ConfigMap]:
        self.listed.append((options["resource_version"], options["continue_"]))
        answer = self.listings.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, resource: Any, namespace: str = "", **options: Any) -> AsyncIterator[Sequence[Any]]:
        self.watched.append(options["resource_version"])
        while True:
            batch = await self.events.get()
            if batch is None:
                return
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def tell(self, type: str, *objects: ConfigMap) -> None:
        self.events.put_nowait([WatchEvent(type, obj) for obj in objects])


def page(revision: int, *items: ConfigMap, continue_: str = "") -> Listing[ConfigMap]:
    return Listing(items, str(revision), continue_)


def informer_test(*listings: Any) -> Any:
    """Run the decorated coroutine `(clock, client, informer, changes)` with the informer running."""

    def decorate(body: Any) -> Any:
        def test() -> None:
            async def main(clock: VirtualClock) -> None:
                client = ScriptedClient(*listings)
                async with Informers(client) as informers:  # type: ignore[arg-type]
                    informer = informers.informer(CONFIG_MAPS)
                    changes: list[tuple[Any, Any]] = []
                    informer.on_change(
                        lambda old, new: changes.append(
                            (old and old.metadata.resourceVersion, new and new.metadata.resourceVersion)
                        )
                    )
                    await informer.synced()
                    await body(clock, client, informer, changes)

            virtual_run(main)

        test.__name__ = body.__name__
        return test

    return decorate


@informer_test(page(5, config_map("a", 3), config_map("b", 4)))
async def test_the_first_list_reaches_handlers_before_synced_returns(clock, client, informer, changes):
    assert changes == [(None, "3"), (None, "4")]
    assert informer.get("ns/a").metadata.name == "a"
    assert len(informer) == 2
    assert "ns/b" in informer
    await clock.settle()
    assert client.listed == [("0", "")]
    assert client.watched == ["5"]


@informer_test(page(5, config_map("a", 3)))
async def test_watch_events_change_the_copy_in_order(clock, client, informer, changes):
    changes.clear()
    client.tell("MODIFIED", config_map("a", 6))
    client.tell("ADDED", config_map("b", 7))
    client.tell("DELETED", config_map("a", 8))
    await clock.settle()
    assert changes == [("3", "6"), (None, "7"), ("8", None)]
    assert informer.get("ns/a") is None
    assert [each.metadata.name for each in informer.list()] == ["b"]
    assert informer.resource_version == "8"


@informer_test(page(5, config_map("a", 3), continue_="more"), page(5, config_map("b", 4)))
async def test_a_paged_list_is_put_together(clock, client, informer, changes):
    assert client.listed == [("0", ""), ("", "more")]
    assert len(informer) == 2


@informer_test(page(5, config_map("a", 3)))
async def test_a_watch_that_ends_is_resumed_where_it_was(clock, client, informer, changes):
    client.tell("BOOKMARK", config_map("", 9))
    client.events.put_nowait(None)
    await clock.advance(10)
    assert client.watched == ["5", "9"]
    assert client.listed == [("0", "")]
    assert len(informer) == 1


@informer_test(page(5, config_map("a", 3), config_map("b", 4)), page(20, config_map("b", 19), config_map("c", 18)))
async def test_an_expired_watch_lists_anew_and_tells_only_the_differences(clock, client, informer, changes):
    changes.clear()
    client.events.put_nowait(too_old_resource_version(5, 15))
    await clock.advance(10)
    assert client.listed == [("0", ""), ("", "")]
    assert changes == [("3", None), ("4", "19"), (None, "18")]
    assert client.watched == ["5", "20"]


@informer_test(page(50, config_map("a", 30)), page(20, config_map("b", 19)))
async def test_a_server_set_back_in_time_is_believed(clock, client, informer, changes):
    changes.clear()
    client.events.put_nowait(too_large_resource_version(50, 20))
    await clock.advance(10)
    assert changes == [("30", None), (None, "19")]
    assert informer.resource_version == "20"


@informer_test(page(5, config_map("a", 3, uid="first")))
async def test_a_recreated_object_is_a_delete_and_an_add(clock, client, informer, changes):
    changes.clear()
    client.tell("MODIFIED", config_map("a", 9, uid="second"))
    await clock.settle()
    assert changes == [("3", None), (None, "9")]


@informer_test(service_unavailable("starting"), ConnectionRefusedError(111, "refused"), page(5, config_map("a", 3)))
async def test_failures_are_retried_with_growing_pauses(clock, client, informer, changes):
    assert len(client.listed) == 3
    assert 0.6 <= clock.monotonic() <= 0.9 + 0.01
    assert informer.statistics()["failures"] == 2


@informer_test(page(5, config_map("a", 3, app="x"), config_map("b", 4, app="y"), config_map("c", 4, namespace="other")))
async def test_indices_follow_the_objects(clock, client, informer, changes):
    informer.add_index("app", lambda obj: [obj.metadata.labels["app"]] if "app" in obj.metadata.labels else [])

    def names(objects: Any) -> list[str]:
        return [each.metadata.name for each in objects]

    assert names(informer.by_index("app", "x")) == ["a"]
    client.tell("MODIFIED", config_map("a", 6, app="y"))
    await clock.settle()
    assert names(informer.by_index("app", "x")) == []
    assert sorted(names(informer.by_index("app", "y"))) == ["a", "b"]
    assert names(informer.list("other")) == ["c"]
    client.tell("DELETED", config_map("c", 7, namespace="other"))
    await clock.settle()
    assert informer.list("other") == []
    with pytest.raises(KeyError, match="no index 'size'"):
        informer.by_index("size", "1")


@informer_test(page(5, config_map("a", 3)))
async def test_a_failing_handler_stops_neither_the_copy_nor_the_others(clock, client, informer, changes):
    def fail(old: Any, new: Any) -> None:
        raise ValueError("a bug")

    remove = informer.on_change(fail)
    late: list[str] = []
    informer.on_change(lambda old, new: late.append(new.metadata.resourceVersion))
    client.tell("MODIFIED", config_map("a", 6))
    await clock.settle()
    assert late == ["3", "6"]
    assert informer.statistics()["handler_failures"] == 2
    remove()
    client.tell("MODIFIED", config_map("a", 7))
    await clock.settle()
    assert informer.statistics()["handler_failures"] == 2


def test_two_readers_of_the_same_thing_share_one_watch():
    async def main(clock: VirtualClock) -> None:
        informers = Informers(ScriptedClient())  # type: ignore[arg-type]
        shared = informers.informer(CONFIG_MAPS)
        assert informers.informer(CONFIG_MAPS) is shared
        assert informers.informer(CONFIG_MAPS, "ns") is not shared
        assert isinstance(shared, Informer)

    virtual_run(main)


def test_a_forgotten_informer_watches_no_more_and_a_new_one_is_made_when_asked_for():
    async def main(clock: VirtualClock) -> None:
        client = ScriptedClient(page(5, config_map("a", 1)), page(6, config_map("a", 1)))
        async with Informers(client) as informers:  # type: ignore[arg-type]
            first = informers.informer(CONFIG_MAPS)
            await first.synced()
            informers.forget(first)
            second = informers.informer(CONFIG_MAPS)
            assert second is not first
            await second.synced()
            assert [each.metadata.name for each in second.list()] == ["a"]

    virtual_run(main)


def test_custom_resources_are_not_waited_for():
    async def main(clock: VirtualClock) -> None:
        client = ScriptedClient(*[service_unavailable("no converter")] * 2)
        things = Resource("example.com", "v1", "things", Unstructured, custom_form=lambda: DeclaredForm(ConfigMap))
        async with Informers(client) as informers:  # type: ignore[arg-type]
            informers.informer(CONFIG_MAPS)
            informers.informer(things)
            assert informers.behind() == ["configmaps"]

    virtual_run(main)


def test_keys_are_namespace_and_name():
    assert key_of(config_map("a", 1)) == "ns/a"
    assert key_of(config_map("a", 1, namespace="")) == "a"
    assert split_key("ns/a") == ("ns", "a")
    assert split_key("a") == ("", "a")
