"""One priority level as a pure state machine: seats in use, fair queues of what waits, whose turn it is.

Fair queuing by virtual time: each queue has an account of the seat-seconds it was given, and the one with the least is
served next, so that a flow with many requests does not outrun one with few. As long as nothing waits a request costs
a comparison and an addition. Not here: futures and timers (`driver`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from proa.apiserver.fairness.sharding import hand

# What a request is taken to cost (seconds) until it has ended and has shown.
_GUESS = 0.003
UNLIMITED = 1 << 60


class Queuing(msgspec.Struct, frozen=True):
    """How requests wait: in how many queues, of how many each flow may choose, how long each may get."""

    queues: int
    hand: int
    length: int


class Queue:
    """What waits together. given: its account of virtual seat-seconds."""

    __slots__ = ("given", "running", "seats", "waiting")

    def __init__(self) -> None:
        self.given = 0.0
        self.waiting: deque[Ticket] = deque()
        self.running = 0
        self.seats = 0


class Ticket:
    """A request that waits, or has waited and runs. flow: its own, for people. `wake` is called when its turn comes."""

    __slots__ = ("arrived", "flow", "queue", "started", "wake", "width")

    def __init__(self, flow: object, queue: Queue, width: int, arrived: float, wake: Callable[[], None]) -> None:
        self.flow = flow
        self.queue = queue
        self.width = width
        self.arrived = arrived
        self.wake = wake
        self.started: float | None = None


class Level:
    """Seats and queues of one priority level. queuing: None where nothing waits. clock: seconds that never go back."""

    __slots__ = ("_asked", "_clock", "_queues", "_served", "_virtual", "_virtual_at", "highest", "limit", "queuing",
                 "seats", "waiting", "waiting_seats")  # fmt: skip

    def __init__(self, limit: int, clock: Callable[[], float], queuing: Queuing | None = None) -> None:
        self.limit = limit
        self.queuing = queuing
        self._clock = clock
        self.seats = 0
        self.waiting = 0
        self.waiting_seats = 0
        self.highest = 0
        """The most seats that were in use or waited for at once since `demand` was asked."""
        self._queues: list[Queue] = []
        self._served = 0
        self._asked = 0
        self._virtual = 0.0
        self._virtual_at = clock()

    # -- without waiting --------------------------------------------------------------------------------------------

    def take(self, width: int) -> bool:
        """Whether a request may run now; then its seats are taken. One that is wider than the level runs alone."""
        seats = self.seats + width
        if self.waiting or (seats > self.limit and (self.seats or self.limit <= 0)):
            return False
        self.seats = seats
        if seats > self.highest:
            self.highest = seats
        return True

    def give(self, width: int) -> None:
        """It has ended."""
        self.seats -= width
        if self.waiting:
            self.dispatch()

    # -- waiting ----------------------------------------------------------------------------------------------------

    def enqueue(self, flow: object, entropy: int, width: int, wake: Callable[[], None]) -> Ticket | None:
        """Wait in the emptiest queue of the flow's hand; None when that is full, or nothing waits here."""
        queuing = self.queuing
        if queuing is None:
            return None
        if len(self._queues) < queuing.queues:
            self._queues += [Queue() for _ in range(queuing.queues - len(self._queues))]
        cards = hand(entropy, queuing.queues, queuing.hand)
        self._asked += 1
        turned = self._asked % len(cards)  # no card is preferred, also where hands overlap
        queue = min(
            (self._queues[each] for each in cards[turned:] + cards[:turned]),
            key=lambda each: sum(ticket.width for ticket in each.waiting),
        )
        if len(queue.waiting) >= queuing.length:
            return None
        now = self._advance()
        if not queue.waiting and not queue.running:
            queue.given = max(queue.given, self._virtual)
        ticket = Ticket(flow, queue, width, now, wake)
        queue.waiting.append(ticket)
        self.waiting += 1
        self.waiting_seats += width
        self.highest = max(self.highest, self.seats + self.waiting_seats)
        self.dispatch()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """It waits no longer, or it runs no longer."""
        if ticket.started is not None:
            self.finish(ticket)
            return
        self._advance()
        ticket.queue.waiting.remove(ticket)
        self.waiting -= 1
        self.waiting_seats -= ticket.width
        self.dispatch()

    def finish(self, ticket: Ticket) -> None:
        """A request that has waited has ended: its queue's account is put right."""
        assert ticket.started is not None
        now = self._advance()
        queue = ticket.queue
        queue.running -= 1
        queue.given += ticket.width * (now - ticket.started - _GUESS)
        self.seats -= ticket.width
        self.dispatch()

    def dispatch(self) -> None:
        """Let run what fits, in the order of fairness."""
        while self.waiting and self.seats < self.limit:
            queue = self._next()
            ticket = queue.waiting[0]
            if self.seats and self.seats + ticket.width > self.limit:
                return
            now = self._advance()
            queue.waiting.popleft()
            self.waiting -= 1
            self.waiting_seats -= ticket.width
            ticket.started = now
            queue.running += 1
            queue.given += ticket.width * _GUESS
            self.seats += ticket.width
            ticket.wake()

    def demand(self) -> int:
        """The highest demand since the last call."""
        highest, self.highest = self.highest, self.seats + self.waiting_seats
        return highest

    def queues(self) -> Iterator[tuple[int, Queue]]:
        """Every queue with its number."""
        yield from enumerate(self._queues)

    def _next(self) -> Queue:
        """The queue that would be served the longest ago in virtual time; equal ones in turn."""
        count = len(self._queues)
        best, best_end, best_at = None, 0.0, 0
        for step in range(1, count + 1):
            at = (self._served + step) % count
            queue = self._queues[at]
            if queue.waiting:
                end = queue.given + queue.waiting[0].width * _GUESS
                if best is None or end < best_end:
                    best, best_end, best_at = queue, end, at
        assert best is not None
        self._served = best_at
        return best

    def _advance(self) -> float:
        """Virtual time passes as fast as one of the busy queues is served. Returns the time."""
        now = self._clock()
        busy = sum(1 for each in self._queues if each.waiting or each.running)
        if busy:
            used = min(self.seats + self.waiting_seats, self.limit)
            self._virtual += max(0.0, now - self._virtual_at) * used / busy
        self._virtual_at = now
        return now
