from __future__ import annotations

import asyncio

from proa.store.feed import Router
from proa.store.protocol import Change


def change(key: str, revision: int) -> Change:
    return Change(key, b"", revision, None)


async def test_each_reader_gets_the_changes_of_its_prefix_in_order() -> None:
    router: Router[Change] = Router(100)
    prefixes = ("", "/pods/", "/pods/a/", "/pods/a/x", "/nodes/")
    readers = {prefix: router.subscribe(prefix) for prefix in prefixes}
    router.publish([change("/pods/a/x", 1), change("/pods/b/x", 2), change("/pods/a/y", 3), change("/nodes/n", 4)])
    got = {prefix: [change.revision for change in reader.take()] for prefix, reader in readers.items()}
    assert got == {"": [1, 2, 3, 4], "/pods/": [1, 2, 3], "/pods/a/": [1, 3], "/pods/a/x": [1], "/nodes/": [4]}


async def test_who_comes_or_goes_between_two_changes_is_told_from_then_on_or_no_more() -> None:
    router: Router[Change] = Router(100)
    first, key = router.subscribe("/pods/a/"), "/pods/a/x"
    router.publish([change(key, 1)])
    late = [router.subscribe(prefix) for prefix in ("/pods/", "/pods/a/x", "/pods/a/xy", "/po")]
    router.publish([change(key, 2)])
    late[0].close()
    router.publish([change(key, 3)])
    assert [each.revision for each in first.take()] == [1, 2, 3]
    assert [[each.revision for each in reader.take()] for reader in late[1:]] == [[2, 3], [], [2, 3]]


async def test_a_change_wakes_nobody_who_watches_another_prefix() -> None:
    router: Router[Change] = Router(100)
    left, right = router.subscribe("/a/"), router.subscribe("/b/")
    tasks = [asyncio.create_task(left.wait()), asyncio.create_task(right.wait())]
    await asyncio.sleep(0)
    router.publish([change("/a/x", 1)])
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, False]
    right.close()
    await tasks[1]


async def test_a_prefix_nobody_watches_any_more_costs_nothing() -> None:
    router: Router[Change] = Router(100)
    readers = [router.subscribe(f"/pods/{number}") for number in range(50)]
    for reader in readers:
        reader.close()
    assert router.statistics() == {"prefixes": 0, "readers": 0, "published": 0}
    assert not router._lengths
