"""The running side of priority and fairness: which level a request belongs to, waiting for its turn, adjusting limits.

Callers remember which flow a request belongs to, so that one that need not wait costs a few counters. Not here: the
rules themselves (`matching`, `queues`, `limits`), the objects they come from (`controller`).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from proa.api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration, PriorityLevelConfigurationSpec
from proa.api.flowcontrol_v1.bootstrap import (
    CATCH_ALL,
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)
from proa.apiserver.fairness.limits import Demand, Limits, adjusted, shared
from proa.apiserver.fairness.matching import distinguisher, in_order, matches
from proa.apiserver.fairness.queues import UNLIMITED, Level, Queuing, Ticket
from proa.apiserver.fairness.sharding import flow_hash
from proa.apiserver.identity import User
from proa.apiserver.requestinfo import RequestInfo

_ADJUST_SECONDS = 10.0
WAIT_BUCKETS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)


class TooManyRequests(Exception):
    """A request is turned away. retry_after: seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class LevelState:
    """A priority level that requests are at."""

    __slots__ = ("current", "demand", "exempt", "level", "limits", "name", "rejected_lately", "retry_after", "uid")

    def __init__(self, name: str, level: Level, limits: Limits) -> None:
        self.name = name
        self.level = level
        self.limits = limits
        self.uid = ""
        self.exempt = False
        self.current = limits.initial
        self.demand = Demand(0, 0.0)
        self.retry_after = 1
        self.rejected_lately = 0


class SchemaCounts(msgspec.Struct):
    """What happened to the requests of one flow schema at one level that did not run at once."""

    queued: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    waits: list[int] = msgspec.field(default_factory=lambda: [0] * (len(WAIT_BUCKETS) + 1))
    waited: float = 0.0
    refusals: list[int] = msgspec.field(default_factory=lambda: [0] * (len(WAIT_BUCKETS) + 1))
    refused_after: float = 0.0


class Flow:
    """Where requests alike in user, verb and target belong. headers: what their responses carry, as bytes."""

    __slots__ = ("counts", "distinguisher", "headers", "key", "level", "schema", "state")

    def __init__(self, schema: FlowSchema, state: LevelState, counts: SchemaCounts, told_apart_by: str) -> None:
        self.schema = schema.metadata.name
        self.key = state.name, self.schema
        self.state = state
        self.level = state.level
        self.counts = counts
        self.distinguisher = told_apart_by
        uid, level_uid = schema.metadata.uid, state.uid
        self.headers = (
            f"X-Kubernetes-Pf-Flowschema-Uid: {uid}\r\nX-Kubernetes-Pf-Prioritylevel-Uid: {level_uid}\r\n".encode()
            if uid and level_uid
            else b""
        )


class Fairness:
    """`flow` says where a request belongs; what does not fit there at once `wait`s.

    total: how many requests the server runs at once. wait: for how many seconds one may wait for its turn.
    """

    def __init__(self, total: int, wait: float) -> None:
        self._total = total
        self._wait = wait
        self._schemas: list[FlowSchema] = []
        self._adjusting: asyncio.TimerHandle | None = None
        self.levels: dict[str, LevelState] = {}
        self.counts: dict[tuple[str, str], SchemaCounts] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called when requests may belong elsewhere."""
        self.configure((*MANDATORY_SCHEMAS, *SUGGESTED_SCHEMAS), (*MANDATORY_LEVELS, *SUGGESTED_LEVELS))

    def configure(self, schemas: Iterable[FlowSchema], levels: Iterable[PriorityLevelConfiguration]) -> None:
        """Go by these from now on. What runs or waits stays where it is; mandatory ones are there in any case."""
        configured = {each.metadata.name: each for each in MANDATORY_LEVELS}
        configured |= {each.metadata.name: each for each in levels}
        limits = shared(self._total, {name: each.spec for name, each in configured.items()})
        states = {}
        for name, each in configured.items():
            queuing = _queuing(each.spec)
            state = self.levels.get(name)
            if state is None or state.level.queuing != queuing:
                state = LevelState(name, Level(limits[name].initial, _now, queuing), limits[name])
            state.limits = limits[name]
            state.uid = each.metadata.uid
            state.exempt = each.spec.type == "Exempt"
            states[name] = state
        self.levels = states
        known = {each.metadata.name: each for each in MANDATORY_SCHEMAS} | {
            each.metadata.name: each for each in schemas
        }
        self._schemas = [
            each for each in in_order(known.values()) if each.spec.priorityLevelConfiguration.name in states
        ]
        self._adjust()
        self.on_change()

    def flow(self, user: User, info: RequestInfo) -> Flow:
        """Where a request belongs. The same for all with this user, verb, target and namespace, until `on_change`."""
        schema = next((each for each in self._schemas if matches(each, user, info)), None)
        if schema is None:  # of a user in no group at all
            schema = next(each for each in self._schemas if each.metadata.name == CATCH_ALL)
        state = self.levels[schema.spec.priorityLevelConfiguration.name]
        counts = self.counts.setdefault((state.name, schema.metadata.name), SchemaCounts())
        return Flow(schema, state, counts, distinguisher(schema, user, info))

    async def wait(self, flow: Flow, width: int) -> Ticket:
        """Wait for the turn. Raises TooManyRequests."""
        state, level, counts = flow.state, flow.level, flow.counts
        self._adjust_soon()
        loop = asyncio.get_running_loop()
        began, turn = loop.time(), loop.create_future()
        ticket = level.enqueue(flow, flow_hash(flow.schema, flow.distinguisher), width, lambda: _wake(turn))
        if ticket is None:
            raise self._rejection(flow, "concurrency-limit" if level.queuing is None else "queue-full", began)
        counts.queued += 1
        timer = loop.call_later(self._wait, turn.cancel)
        try:
            await turn
        except asyncio.CancelledError:
            # A turn that came at the same moment as the end is given back; a cancelled task stays cancelled.
            level.cancel(ticket)
            task = asyncio.current_task()
            if (task is not None and task.cancelling()) or not turn.cancelled():
                counts.rejected["cancelled"] += 1
                raise
            raise self._rejection(flow, "time-out", began) from None
        finally:
            timer.cancel()
            counts.queued -= 1
        seconds = loop.time() - began
        counts.waits[bisect_left(WAIT_BUCKETS, seconds)] += 1
        counts.waited += seconds
        state.retry_after = 1
        return ticket

    def close(self) -> None:
        if self._adjusting is not None:
            self._adjusting.cancel()
            self._adjusting = None

    def _rejection(self, flow: Flow, reason: str, began: float) -> TooManyRequests:
        seconds = _now() - began
        flow.counts.rejected[reason] += 1
        flow.counts.refusals[bisect_left(WAIT_BUCKETS, seconds)] += 1
        flow.counts.refused_after += seconds
        flow.state.rejected_lately += 1
        return TooManyRequests(reason, flow.state.retry_after)

    # -- limits that follow demands -------------------------------------------------------------------------------

    def _adjust_soon(self) -> None:
        """Limits need adjusting only while something has to wait: then at once, and again until nothing has."""
        if self._adjusting is None:
            self._adjust()
            self._adjusting = asyncio.get_running_loop().call_later(_ADJUST_SECONDS, self._adjust_again)

    def _adjust_again(self) -> None:
        self._adjusting = None
        busy = any(each.level.waiting or each.rejected_lately for each in self.levels.values())
        for each in self.levels.values():
            # Who is turned away all the time is asked to stay away longer.
            more = each.retry_after * 2 if each.rejected_lately else each.retry_after - 1
            each.retry_after = min(32, max(1, more))
            each.rejected_lately = 0
        self._adjust()
        if busy:
            self._adjusting = asyncio.get_running_loop().call_later(_ADJUST_SECONDS, self._adjust_again)

    def _adjust(self) -> None:
        for each in self.levels.values():
            each.demand = each.demand.later(each.level.demand())
        exempt = frozenset(name for name, each in self.levels.items() if each.exempt)
        limits = {name: each.limits for name, each in self.levels.items()}
        demands: Mapping[str, Demand] = {name: each.demand for name, each in self.levels.items()}
        for name, seats in adjusted(limits, demands, exempt).items():
            state = self.levels[name]
            state.current = seats
            state.level.limit = UNLIMITED if state.exempt else seats
            state.level.dispatch()


def _queuing(spec: PriorityLevelConfigurationSpec) -> Queuing | None:
    queuing = spec.limited.limitResponse.queuing if spec.limited is not None else None
    return Queuing(queuing.queues, queuing.handSize, queuing.queueLengthLimit) if queuing is not None else None


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _now() -> float:
    """The loop's time, which tests may make virtual; before any loop runs nothing waits either."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
