"""RFC 3339 times as the API writes them: `Time` to the second, `MicroTime` to the microsecond, always UTC.

Values in objects stay texts; here is what computes with them. `now` is never read here: the clock is the caller's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from proa.base.errors import ProaError

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZERO = -62135596800
"""Go's zero time, the beginning of the year 1, in seconds since 1970: a time that is not set."""


class TimeError(ProaError, ValueError):
    """The text is not an RFC 3339 time."""


@lru_cache(maxsize=4096)
def parse(text: str) -> datetime:
    """The instant, in UTC; finer than a microsecond is cut. Raises TimeError."""
    if _RFC3339.fullmatch(text) is None:
        raise TimeError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse it as RFC 3339')
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise TimeError(f'parsing time "{text}": {error}') from None


def to_epoch(text: str) -> float:
    """Seconds since 1970. Raises TimeError."""
    return (parse(text) - _EPOCH).total_seconds()


def from_epoch(seconds: float) -> str:
    """A `Time`; the fraction is cut, as clients expect."""
    return format_time(datetime.fromtimestamp(seconds // 1, UTC))


def micro_from_epoch(seconds: float) -> str:
    """A `MicroTime`."""
    return format_micro_time(datetime.fromtimestamp(seconds, UTC))


def format_time(instant: datetime) -> str:
    """A `Time` from an aware datetime."""
    since = instant - _EPOCH
    return _second(since.days, since.seconds)


@lru_cache(maxsize=1024)
def _second(days: int, seconds: int) -> str:
    """Remembered, because nearly all that is written is written now."""
    return (_EPOCH + timedelta(days, seconds)).isoformat()[:-6] + "Z"


def format_micro_time(instant: datetime) -> str:
    """A `MicroTime` from an aware datetime."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The text as a `Time` is stored: UTC, whole seconds. Raises TimeError."""
    return format_time(parse(text))


@lru_cache(maxsize=4096)
def canonical_micro(text: str) -> str:
    """The text as a `MicroTime` is stored. Raises TimeError."""
    return format_micro_time(parse(text))


def human_duration(seconds: float) -> str:
    """A duration in two or three significant figures, as tables show ages: `45s`, `2m3s`, `5h`, `2d4h`, `3y120d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    days, years = hours // 24, hours // (24 * 365)
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return _two(years, "y", days % 365, "d")
    return f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def short_human_duration(seconds: float) -> str:
    """A duration in its largest unit only: `45s`, `2m`, `5h`, `2d`, `3y`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    for unit, name, below in ((1, "s", 60), (60, "m", 60), (3600, "h", 24), (86400, "d", 365)):
        if whole // unit < below:
            return f"{max(whole, 0) // unit}{name}"
    return f"{whole // (86400 * 365)}y"


def age(timestamp: str | None, now: float) -> str:
    """The age of a `Time` at `now` (seconds since 1970), as tables show it; `<unknown>` when there is none."""
    return human_duration(now - to_epoch(timestamp)) if timestamp else "<unknown>"
