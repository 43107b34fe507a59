"""/debug/api_priority_and_fairness: what the levels and queues hold at this moment, as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from proa.apiserver.fairness.driver import Fairness, Flow
from proa.apiserver.reply import text_reply
from proa.apiserver.request import Request, Response
from proa.machinery import status as failures

PREFIX = "/debug/api_priority_and_fairness/"


class Dumps:
    """The handler of everything below PREFIX. turns: as in `fairness.metrics`."""

    def __init__(self, fairness: Fairness, turns: Callable[[], Mapping[tuple[str, str], tuple[int, int]]]) -> None:
        self._fairness = fairness
        self._turns = turns
        self._tables = {
            "dump_priority_levels": self._levels,
            "dump_queues": self._queues,
            "dump_requests": self._requests,
        }

    async def __call__(self, request: Request) -> Response:
        table = self._tables.get(request.info.path.removeprefix(PREFIX))
        if table is None:
            raise failures.NoSuchPathError
        return text_reply(_text(table()))

    def _levels(self) -> Iterable[Sequence[object]]:
        yield ("PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
               "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests")  # fmt: skip
        turns = self._turns()
        for name, state in sorted(self._fairness.levels.items()):
            level = state.level
            had = [each for (at, _), each in turns.items() if at == name]
            counts = [each for (at, _), each in self._fairness.counts.items() if at == name]
            rejected = {reason: sum(each.rejected[reason] for each in counts)
                        for reason in ("queue-full", "concurrency-limit", "time-out", "cancelled")}  # fmt: skip
            yield (
                name,
                sum(1 for _, each in level.queues() if each.waiting or each.running),
                _word(not any(running for _, running in had) and not level.waiting),
                "false",
                level.waiting,
                sum(running for _, running in had),
                sum(started for started, _ in had),
                rejected["queue-full"] + rejected["concurrency-limit"],
                rejected["time-out"],
                rejected["cancelled"],
            )

    def _queues(self) -> Iterable[Sequence[object]]:
        yield ("PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
               "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum")  # fmt: skip
        for name, state in sorted(self._fairness.levels.items()):
            for index, queue in state.level.queues():
                width = sum(each.width for each in queue.waiting)
                given = f"{queue.given:.8f}ss"
                yield name, index, len(queue.waiting), queue.running, queue.running, given, width, width, f"{width}ss"

    def _requests(self) -> Iterable[Sequence[object]]:
        yield ("PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistinguisher",
               "ArriveTime", "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime")  # fmt: skip
        for name, state in sorted(self._fairness.levels.items()):
            for index, queue in state.level.queues():
                for place, ticket in enumerate(queue.waiting):
                    flow = ticket.flow
                    assert isinstance(flow, Flow)
                    yield (name, flow.schema, index, place, flow.distinguisher, f"{ticket.arrived:.6f}", ticket.width,
                           0, "0s", "")  # fmt: skip


def _word(value: bool) -> str:
    return "true" if value else "false"


def _text(rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need to be."""
    texts = [[str(each) for each in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = ("  ".join(f"{cell},".ljust(width + 1) for cell, width in zip(row, widths, strict=True)) for row in texts)
    return "\n".join(line.rstrip() for line in lines) + "\n"
