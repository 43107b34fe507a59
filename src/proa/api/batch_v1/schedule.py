"""What a cron job's schedule and time zone may look like.

A schedule has five fields (minute, hour, day of month, month, day of week) of numbers, names, ranges, steps and lists,
or is a descriptor such as `@daily` or `@every 90m`. Errors are worded as clients know them. Not here: when a schedule
is due.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proa.base.errors import ProaError
from proa.machinery.fields import quoted

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# lowest, highest, and what the numbers are called
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: at for at, name in enumerate(_DAYS)}),
)
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = "@every "
_DURATION = r"[-+]?(0|(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))*)"
_ZONE_PART = r"[A-Za-z._\-0-9+]{1,14}"


class ScheduleError(ProaError, ValueError):
    """A text that is no schedule; the message says why."""


@lru_cache(256)
def schedule_problem(text: str) -> str:
    """What is wrong with a schedule, '' when nothing is."""
    try:
        _parse(text)
    except ScheduleError as error:
        return str(error)
    return ""


def _parse(text: str) -> None:
    zone = re.match("(?:CRON_)?TZ=(.*?)( |$)", text)
    if zone is not None:
        if not zone[2]:
            raise ScheduleError("invalid schedule format: nothing follows the time zone")
        problem = zone_problem(zone[1])
        if problem:
            raise ScheduleError(f"provided bad location {zone[1]}: {problem}")
        text = text[zone.end() :].strip()
    if text.startswith("@"):
        _parse_descriptor(text)
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, bounds in zip(fields, _FIELDS, strict=True):
        for expression in filter(None, field.split(",")):
            _parse_range(expression, *bounds)


def _parse_descriptor(text: str) -> None:
    if text.startswith(_EVERY):
        duration = text.removeprefix(_EVERY)
        if not re.fullmatch(_DURATION, duration):
            raise ScheduleError(f"failed to parse duration {text}: time: invalid duration {quoted(duration)}")
    elif text not in _DESCRIPTORS:
        raise ScheduleError(f"unrecognized descriptor: {text}")


def _parse_range(expression: str, lowest: int, highest: int, names: dict[str, int]) -> None:
    limits, *steps = expression.split("/")
    first, *rest = limits.split("-")
    if first in ("*", "?"):
        start, end = lowest, highest
    else:
        start = _number(first, names)
        if len(rest) > 1:
            raise ScheduleError(f"too many hyphens: {expression}")
        end = _number(rest[0], names) if rest else start
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {expression}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not rest:
        end = highest
    if start < lowest:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({lowest}): {expression}")
    if end > highest:
        raise ScheduleError(f"end of range ({end}) above maximum ({highest}): {expression}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {expression}")


def _number(text: str, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        raise ScheduleError(f"failed to parse int from {text}: strconv.Atoi: parsing {quoted(text)}: invalid syntax")
    if int(text) < 0:
        raise ScheduleError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def zone_problem(zone: str) -> str:
    """What is wrong with the name of a time zone, '' when nothing is."""
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not re.fullmatch(_ZONE_PART, part):
            return f"unknown time zone {zone}"
    if zone.lower() == "local":
        return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {zone}"
    return ""
