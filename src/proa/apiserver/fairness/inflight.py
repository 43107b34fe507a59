"""What limits requests where priority and fairness are switched off: so many that read, so many that write.

Nothing waits here; members of system:masters are never turned away. Not here: the limits by priority (`driver`).
"""

from __future__ import annotations

from proa.api.flowcontrol_v1 import FlowSchema
from proa.apiserver.fairness.driver import Flow, LevelState, SchemaCounts, TooManyRequests
from proa.apiserver.fairness.limits import Limits
from proa.apiserver.fairness.queues import UNLIMITED, Level, Ticket
from proa.apiserver.identity import MASTERS, User
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery.meta import ObjectMeta

_READING = frozenset({"get", "list", "watch"})


class InFlight:
    """reading, writing: how many at once, 0 for any number."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = _flow("readonly", reading)
        self._writing = _flow("mutating", writing)
        self._exempt = _flow("exempt", 0)

    def flow(self, user: User, info: RequestInfo) -> Flow:
        """Where a request belongs."""
        if MASTERS in user.groups:
            return self._exempt
        return self._reading if info.verb in _READING else self._writing

    async def wait(self, flow: Flow, width: int) -> Ticket:
        """Raises TooManyRequests."""
        flow.counts.rejected["concurrency-limit"] += 1
        raise TooManyRequests("concurrency-limit", 1)

    def close(self) -> None:
        """Nothing runs by itself."""


def _flow(name: str, limit: int) -> Flow:
    seats = limit or UNLIMITED
    state = LevelState(name, Level(seats, lambda: 0.0), Limits(seats, seats, seats))
    return Flow(FlowSchema(metadata=ObjectMeta(name=name)), state, SchemaCounts(), "")
