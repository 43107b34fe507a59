"""Values to text and text to values, as Go writes and reads them: floats, durations, instants.

Not here: which function does it (`standard`), the printf of `format` (`extensions.formatting`).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.values import SECOND, Duration, Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ZONE = re.compile(r"([+-]?)(\d{1,2}):(\d\d)", re.ASCII)


def of_float(number: float) -> str:
    """The shortest text that reads back the same, with an exponent only for the very large and small."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    mantissa, _, exponent = f"{number:e}".partition("e")
    del mantissa
    if number and not -4 <= int(exponent) < 21:
        digits, _, power = repr(number).partition("e")
        if not power:
            digits, _, power = _scientific(number).partition("e")
        return f"{digits.removesuffix('.0')}e{'-' if int(power) < 0 else '+'}{abs(int(power)):02d}"
    text = repr(number)
    if "e" in text:
        text = f"{number:.0f}" if abs(number) >= 1 else f"{number:.20f}".rstrip("0")
    return text.removesuffix(".0")


def _scientific(number: float) -> str:
    return next(text for places in range(18) if float(text := f"{number:.{places}e}") == number)


def of_seconds(duration: Duration) -> str:
    """Seconds with as many places as needed: `90s`, `0.5s`."""
    sign = "-" if duration.nanos < 0 else ""
    whole, rest = divmod(abs(duration.nanos), SECOND)
    return f"{sign}{whole}{f'.{rest:09d}'.rstrip('0') if rest else ''}s"


def duration(text: str) -> Duration | None:
    """`1h30m`, `-1.5s`; None if it is none."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        match = _DURATION.match(rest, at)
        if match is None or not (match[1] or match[2]):
            return None
        unit = _UNITS[match[3]]
        digits = match[2] or ""
        total += int(match[1] or "0") * unit + (int(digits) * unit // 10 ** len(digits) if digits else 0)
        at = match.end()
    if not rest or total > (1 << 63) - (text[:1] != "-"):
        return None
    return Duration(-total if text[:1] == "-" else total)


def of_instant(instant: Timestamp) -> str:
    """RFC 3339 in the zone it was written in, with as many places as needed."""
    seconds, nanos = divmod(instant.nanos, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds + instant.offset)
    places = f".{nanos:09d}".rstrip("0") if nanos else ""
    minutes = abs(instant.offset) // 60
    zone = f"{'-' if instant.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if instant.offset else "Z"
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{places}{zone}"


def instant(text: str) -> Timestamp | None:
    """RFC 3339; None if it is none. Raises EvaluationError for years beyond those that timestamps have."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[place]) for place in range(1, 7))
    nanos = int((match[7] or "0")[:9].ljust(9, "0"))
    offset = 0
    if match[8] != "Z":
        hours, minutes = int(match[8][1:3]), int(match[8][4:6])
        if hours > 24 or minutes > 60:
            return None
        offset = (hours * 3600 + minutes * 60) * (-1 if match[8][0] == "-" else 1)
    try:
        moment = datetime(max(year, 1), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if year < 1:
        raise EvaluationError("timestamp overflow")
    seconds = (moment - _EPOCH) // timedelta(seconds=1) - offset
    return Timestamp.of(seconds * SECOND + nanos, offset)


def local(instant: Timestamp, zone: str | None) -> datetime:
    """The wall clock, to the second, in UTC or a zone: `Europe/Berlin`, `+02:00`. Raises EvaluationError."""
    moment = _EPOCH + timedelta(seconds=instant.nanos // SECOND)
    if zone is None:
        return moment
    try:
        return moment.astimezone(_zone(zone))
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


def _zone(name: str) -> tzinfo:
    match = _ZONE.fullmatch(name)
    if match is not None:
        minutes = int(match[2]) * 60 + int(match[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
        raise EvaluationError(f"unknown time zone {name}")
    from zoneinfo import ZoneInfo  # slow to import, rarely used

    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        raise EvaluationError(f"unknown time zone {name}") from None
