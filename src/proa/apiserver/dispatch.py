"""From a request to its handler, and from any failure to its Status: the one edge between HTTP and everything else.

Here: the order (parse, who, may they, whose turn is it, which handler, until when), errors and counting. What is the
same for all requests of one user to one kind of target is a `Lane`, looked up once and remembered. Not here: what
handlers do.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from math import ceil
from typing import Protocol

from proa.apiserver.access import Access
from proa.apiserver.deadlines import Deadlines
from proa.apiserver.fairness.driver import Flow, TooManyRequests
from proa.apiserver.fairness.queues import Ticket
from proa.apiserver.identity import User
from proa.apiserver.metrics import RequestMetrics, Series
from proa.apiserver.reply import Reply, Stream, text_reply
from proa.apiserver.representation import status_answer
from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo, parse
from proa.apiserver.routes import Handle, Routes, Served
from proa.machinery import status as failures

__all__ = ["Dispatcher", "Handle", "Served"]

log = logging.getLogger(__name__)

_MOST_LANES = 10_000
_MOST_USERS = 10_000
_MOST_AT_HAND = 1_000
# Beside watches: they last as long as both ends want, and wait for no turn.
_LONG = frozenset({"exec", "attach", "portforward", "log", "proxy"})
# One seat for so many objects that a list has to look at.
_OBJECTS_A_SEAT = 100
_MOST_SEATS = 10


class Turns(Protocol):
    """Who says whose turn it is (`fairness`)."""

    def flow(self, user: User, info: RequestInfo) -> Flow: ...
    async def wait(self, flow: Flow, width: int) -> Ticket: ...


class Lane:
    """What requests of one user to one kind of target share.

    seconds: how long they may take, 0 for ever. long: they are none of those that wait for a turn. plain: they are
    those that take one seat, for as long as they last. level: where, None if they need no turn.
    """

    __slots__ = ("flow", "handle", "level", "long", "marks", "objects", "plain", "seconds", "series")

    def __init__(self, info: RequestInfo, handle: Handle, flow: Flow, metrics: RequestMetrics, seconds: float) -> None:
        self.handle = handle
        self.flow = flow
        self.marks = flow.headers
        self.series = metrics.series(info, "", flow.key)
        self.long = info.is_resource and info.subresource in _LONG
        watches = info.verb == "watch"
        self.seconds = 0.0 if self.long or watches else seconds
        self.level = None if flow.state.exempt else flow.level
        self.objects = info.is_resource and info.verb == "list"
        self.plain = not (self.long or watches or (self.objects and self.level is not None))


class Dispatcher(Routes):
    """The handler of every request."""

    def __init__(self, access: Access, metrics: RequestMetrics, turns: Turns) -> None:
        super().__init__()
        self._access = access
        self._metrics = metrics
        self._turns = turns
        self._lanes: dict[User, dict[tuple[object, ...], Lane]] = {}
        self._at_hand: dict[int, tuple[User, dict[tuple[object, ...], Lane]]] = {}
        self.changed = self.forget
        self.deadlines = Deadlines(0.0, tuple)
        self.objects: Callable[[RequestInfo], int] = lambda info: 0
        """How many objects a list has to look at."""

    def forget(self) -> None:
        """Look up every lane anew: handlers or turns are others."""
        self._lanes.clear()
        self._at_hand.clear()

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        request.info = info = parse(request.method, request.raw_path, request.query_string)
        try:
            await self._access.enter(request)
            lane = self._lane(request.user, info)
        except Exception as error:
            refusal = answer_to(request, error)
            self._metrics.series(info).observe(refusal.status, time.perf_counter() - started)
            return refusal
        request.marks += lane.marks
        series, code = lane.series, 0
        try:
            level = lane.level
            if lane.plain and not request.query_string and (level is None or level.take(1)):
                series.started += 1
                request.deadline = started + lane.seconds
                try:
                    response = await lane.handle(request)
                finally:
                    if level is not None:
                        level.give(1)
            else:
                if "dryRun" in request.query_string:
                    series = self._metrics.series(info, request.query.get("dryRun", ""), lane.flow.key)
                response = await self._answer(request, lane, series, started)
            code = response.status
            return response
        except asyncio.CancelledError:
            if not request.overdue or request.task is None or request.task.uncancel():
                raise
            code = 504
            self._metrics.terminated(info, code)
            return answer_to(request, failures.timeout("request did not complete within the allotted timeout"))
        except Exception as error:
            failure = answer_to(request, error)
            code = failure.status
            if isinstance(error, TooManyRequests):
                self._metrics.terminated(info, code)
                series = self._metrics.series(info)
            return failure
        finally:
            seconds = time.perf_counter() - started
            series.observe(code, seconds)
            if request.elsewhere:
                series.excuse(seconds, request.elsewhere)

    async def local(self, request: Request) -> Response:
        """Answer a caller within the process, whose `user` is set. Raises StatusError."""
        request.info = info = parse(request.method, request.raw_path, request.query_string)
        await self._access.authorize(request.user, info, request)
        return await self.find(info)(request)

    def _lane(self, user: User, info: RequestInfo) -> Lane:
        known = self._at_hand.get(id(user))
        if known is None or known[0] is not user:  # the user is kept, so its id stays its own
            known = self._at_hand[id(user)] = (user, self._lanes_of(user))
        lanes = known[1]
        # Verb, group, version, resource, subresource and namespace; of what is no resource, the path.
        key: tuple[object, ...] = (info.verb, info[3:8]) if info.is_resource else (info.verb, info.path)
        lane = lanes.get(key)
        if lane is None:
            if len(lanes) > _MOST_LANES:
                lanes.clear()
            flow = self._turns.flow(user, info)
            lane = lanes[key] = Lane(info, self.find(info), flow, self._metrics, self.deadlines.seconds)
        return lane

    def _lanes_of(self, user: User) -> dict[tuple[object, ...], Lane]:
        """Those of an equal user: who is authenticated anew is the same as before."""
        if len(self._at_hand) > _MOST_AT_HAND:
            self._at_hand.clear()
        if len(self._lanes) > _MOST_USERS:
            self._lanes.clear()
        return self._lanes.setdefault(user, {})

    async def _answer(self, request: Request, lane: Lane, series: Series, started: float) -> Response:
        """The answer of a handler that has to wait for its turn, or to end at another time than most."""
        if lane.long:
            return await _session(request, lane, series)
        if not lane.seconds:
            return await self._watch(request, lane, series)
        request.deadline = started + lane.seconds
        wanted = self.deadlines.wanted(request) if "timeout=" in request.query_string else None
        if wanted is None:
            return await self._turn(request, lane, series)
        with self.deadlines.shortened(request, wanted):
            return await self._turn(request, lane, series)

    async def _turn(self, request: Request, lane: Lane, series: Series) -> Response:
        """The answer of the handler, once it is the request's turn. Raises TooManyRequests."""
        level = lane.level
        if level is None:
            series.started += 1
            return await lane.handle(request)
        width = self._width(request, lane) if lane.objects else 1
        if level.take(width):
            series.started += 1
            try:
                return await lane.handle(request)
            finally:
                level.give(width)
        began = time.perf_counter()
        try:
            ticket = await self._turns.wait(lane.flow, width)
        finally:
            request.elsewhere += time.perf_counter() - began
        series.started += 1
        try:
            return await lane.handle(request)
        finally:
            level.finish(ticket)

    async def _watch(self, request: Request, lane: Lane, series: Series) -> Response:
        """A watch has its turn until it has begun."""
        response = await self._turn(request, lane, series)
        if isinstance(response, Stream):
            series.long_running += 1
            response.on_end = series.end
        return response

    def _width(self, request: Request, lane: Lane) -> int:
        """How many seats a list takes: as it has to look at many objects."""
        count = self.objects(request.info)
        limits, queuing = lane.flow.state.limits, lane.flow.level.queuing
        most = _MOST_SEATS
        if queuing is not None:
            most = min(most, max(1, min(ceil(limits.nominal * 0.15), limits.nominal // queuing.hand)))
        return max(1, min(most, ceil(count / _OBJECTS_A_SEAT)))


async def _session(request: Request, lane: Lane, series: Series) -> Response:
    """Logs, sessions and proxied connections have no turn at all."""
    series.long_running += 1
    series.started += 1
    try:
        response = await lane.handle(request)
        if isinstance(response, Stream):
            series.long_running += 1
            response.on_end = series.end
        return response
    finally:
        series.end()


def answer_to(request: Request, error: Exception) -> Reply:
    """The response to a failure. Raises ConnectionError again: there is nobody to answer."""
    if isinstance(error, failures.StatusError):
        return failed(request, error)
    if isinstance(error, TooManyRequests):
        reply = text_reply("Too many requests, please try again later.\n", 429)
        reply.headers = (("Retry-After", str(error.retry_after)), ("X-Content-Type-Options", "nosniff"))
        return reply
    if isinstance(error, ConnectionError):
        raise error
    return broken(request, error)


def failed(request: Request, error: failures.StatusError) -> Reply:
    """The response to a failure somebody named."""
    if isinstance(error, failures.NoSuchPathError):
        unknown = text_reply(f"{error.message}\n", error.code)
        unknown.headers = (("X-Content-Type-Options", "nosniff"),)
        return unknown
    reply = status_answer(request, error.status)
    if error.code == 401:
        reply.headers = (*reply.headers, ("WWW-Authenticate", "Bearer"))
    return reply


def broken(request: Request, error: Exception) -> Reply:
    """The response to a bug: its traceback goes to the log under an id, the id to the client."""
    mark = uuid.uuid4().hex[:12]
    log.error("%s %s failed (%s)", request.method, request.raw_path, mark, exc_info=error)
    if request.witness is not None:
        request.witness.panicked(error)
    failure = failures.internal_error(f"{type(error).__name__} (see the server's log for {mark})")
    return status_answer(request, failure.status)
