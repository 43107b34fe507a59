from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.api.flowcontrol_v1 import bootstrap
from proa.apiserver.fairness.limits import Bounds, Demand, Limits, adjusted, fair_allocation, shared
from proa.apiserver.fairness.matching import distinguisher, in_order, matches
from proa.apiserver.fairness.queues import Level, Queuing, Ticket
from proa.apiserver.fairness.sharding import flow_hash, hand
from proa.apiserver.identity import User
from proa.apiserver.requestinfo import parse

SCHEMAS = in_order((*bootstrap.MANDATORY_SCHEMAS, *bootstrap.SUGGESTED_SCHEMAS))
LEVELS = {each.metadata.name: each.spec for each in (*bootstrap.MANDATORY_LEVELS, *bootstrap.SUGGESTED_LEVELS)}
EVERYBODY = ("system:authenticated",)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def schema_of(user: User, method: str, path: str) -> str:
    info = parse(method, path)
    return next(each.metadata.name for each in SCHEMAS if matches(each, user, info))


@pytest.mark.parametrize(
    ("user", "method", "path", "schema"),
    [
        (User("a", groups=("system:masters",)), "GET", "/api/v1/pods", "exempt"),
        (User("a", groups=EVERYBODY), "GET", "/healthz", "probes"),
        (User("a", groups=EVERYBODY), "GET", "/livez/ping", "probes"),
        (User("a", groups=EVERYBODY), "GET", "/livezz", "global-default"),
        (User("system:kube-scheduler", groups=EVERYBODY), "PUT",
         "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x", "system-leader-election"),
        (User("system:node:a", groups=("system:nodes",)), "PATCH", "/api/v1/nodes/a/status", "system-node-high"),
        (User("system:node:a", groups=("system:nodes",)), "GET", "/api/v1/pods", "system-nodes"),
        (User("system:serviceaccount:kube-system:a", groups=("system:serviceaccounts",)), "GET", "/api/v1/pods",
         "kube-system-service-accounts"),
        (User("system:serviceaccount:d:a", groups=("system:serviceaccounts",)), "GET", "/api/v1/pods",
         "service-accounts"),
        (User("a", groups=EVERYBODY), "GET", "/api/v1/namespaces/d/pods", "global-default"),
    ],
)  # fmt: skip
def test_a_request_belongs_to_the_first_schema_that_matches(user: User, method: str, path: str, schema: str) -> None:
    assert schema_of(user, method, path) == schema


def test_flows_are_told_apart_by_user_or_namespace() -> None:
    by_name = {each.metadata.name: each for each in SCHEMAS}
    info = parse("GET", "/api/v1/namespaces/d/pods")
    assert distinguisher(by_name["global-default"], User("u"), info) == "u"
    assert distinguisher(by_name["kube-scheduler"], User("u"), info) == "d"
    assert distinguisher(by_name["exempt"], User("u"), info) == ""


@given(st.integers(0, 2**64 - 1), st.integers(1, 200), st.integers(1, 8))
def test_a_hand_has_as_many_different_cards_as_asked(entropy: int, deck: int, size: int) -> None:
    size = min(size, deck)
    cards = hand(entropy, deck, size)
    assert len(set(cards)) == size
    assert all(0 <= card < deck for card in cards)


def test_every_hand_is_equally_likely() -> None:
    dealt = Counter(tuple(hand(entropy, 5, 3)) for entropy in range(5 * 4 * 3 * 10))
    assert len(dealt) == 60
    assert set(dealt.values()) == {10}


def test_flows_differ_by_schema_and_user() -> None:
    assert len({flow_hash(schema, user) for schema in "ab" for user in "cd"}) == 4


def test_seats_are_shared_as_upstream_does() -> None:
    limits = shared(600, LEVELS)
    assert limits["exempt"] == Limits(0, 0, 600)
    assert limits["catch-all"] == Limits(13, 13, 613)
    assert limits["workload-low"] == Limits(245, 25, 845)
    assert limits["system"] == Limits(74, 50, 674)


def test_who_wants_more_borrows_what_others_do_not_want() -> None:
    limits = shared(600, LEVELS)
    demands = {name: Demand(0, 0.0) for name in limits}
    demands["global-default"] = Demand(500, 500.0)
    found = adjusted(limits, demands, frozenset({"exempt"}))
    assert found["global-default"] > 5 * limits["global-default"].nominal
    assert all(found[name] >= limits[name].least for name in limits)
    assert sum(found.values()) <= sum(each.nominal for each in limits.values()) + len(limits)


def test_demand_is_remembered_for_a_while() -> None:
    demand = Demand(0, 0.0).later(100)
    assert demand.smoothed == 100
    assert 90 < demand.later(0).later(0).smoothed < 100


@given(st.floats(0, 1000), st.lists(st.tuples(*[st.floats(0, 100)] * 3), min_size=1, max_size=6))
def test_an_allocation_keeps_to_its_bounds_and_gives_all_there_is(total: float, numbers: list[Any]) -> None:
    classes = [Bounds(low, low + span, low + more) for low, span, more in numbers]
    given_out = fair_allocation(total, classes)
    assert all(each.lower <= seats <= each.upper for each, seats in zip(classes, given_out, strict=True))
    least, most = sum(each.lower for each in classes), sum(each.upper for each in classes)
    assert sum(given_out) == pytest.approx(min(most, max(least, total)), abs=0.1)


def test_what_fits_runs_at_once_and_what_does_not_is_told() -> None:
    level = Level(2, Clock())
    assert level.take(1)
    assert not level.take(2)
    assert level.take(1)
    assert not level.take(1)
    assert level.enqueue(None, 0, 1, list) is None, "nothing waits where there are no queues"
    level.give(1)
    assert level.take(1)


def test_a_request_wider_than_its_level_runs_alone() -> None:
    level = Level(2, Clock())
    assert level.take(5)
    assert not level.take(1)


def waiting(level: Level, order: list[str], name: str, entropy: int = 0, width: int = 1) -> Ticket | None:
    return level.enqueue(name, entropy, width, lambda: order.append(name))


def test_what_waits_runs_when_seats_are_free() -> None:
    order: list[str] = []
    level = Level(1, Clock(), Queuing(4, 2, 2))
    level.take(1)
    first, second = waiting(level, order, "first"), waiting(level, order, "second")
    assert (order, level.waiting, level.demand()) == ([], 2, 3)
    level.give(1)
    assert order == ["first"]
    assert first is not None
    level.finish(first)
    assert order == ["first", "second"]
    assert second is not None
    level.finish(second)
    assert (level.seats, level.waiting) == (0, 0)


def test_a_full_queue_takes_nothing_more() -> None:
    level = Level(0, Clock(), Queuing(2, 1, 2))
    assert [waiting(level, [], name) is None for name in "abc"] == [False, False, True]
    assert waiting(level, [], "other", entropy=1) is not None


def test_who_gives_up_leaves_its_place_to_others() -> None:
    order: list[str] = []
    level = Level(1, Clock(), Queuing(1, 1, 5))
    level.take(1)
    first = waiting(level, order, "first")
    waiting(level, order, "second")
    assert first is not None
    level.cancel(first)
    level.give(1)
    assert (order, level.waiting, level.seats) == (["second"], 0, 1)


def test_a_flow_of_many_requests_does_not_outrun_one_of_few() -> None:
    clock, order = Clock(), list[str]()
    level = Level(1, clock, Queuing(2, 1, 50))
    level.take(1)
    tickets: dict[str, Ticket] = {}
    for number in range(20):
        ticket = waiting(level, order, f"many {number}", entropy=0)
        assert ticket is not None
        tickets[f"many {number}"] = ticket
    for number in range(3):
        ticket = waiting(level, order, f"few {number}", entropy=1)
        assert ticket is not None
        tickets[f"few {number}"] = ticket
    level.give(1)
    for _ in range(7):
        clock.now += 0.01
        level.finish(tickets[order[-1]])
    assert sum(each.startswith("few") for each in order[:8]) == 3


def test_a_flow_of_slow_requests_pays_for_them() -> None:
    clock, order = Clock(), list[str]()
    level = Level(1, clock, Queuing(2, 1, 50))
    level.take(1)
    tickets: dict[str, Ticket] = {}
    for number in range(20):
        for flow, name in enumerate(("slow", "quick")):
            ticket = waiting(level, order, f"{name} {number}", entropy=flow)
            assert ticket is not None
            tickets[f"{name} {number}"] = ticket
    level.give(1)
    for _ in range(18):
        clock.now += 1.0 if order[-1].startswith("slow") else 0.1
        level.finish(tickets[order[-1]])
    assert sum(each.startswith("quick") for each in order) > 13
