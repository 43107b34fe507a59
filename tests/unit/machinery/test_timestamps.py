"""Times are UTC on the wire, and ages read as in kubectl."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery import timestamps


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-02-20T00:00:00Z", "2024-02-20T00:00:00Z"),
        ("2024-02-20T00:00:00.999Z", "2024-02-20T00:00:00Z"),
        ("2024-02-20T00:00:00+02:00", "2024-02-19T22:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_the_stored_form_is_utc_to_the_second(text: str, form: str) -> None:
    assert timestamps.canonical(text) == form


def test_a_micro_time_keeps_microseconds() -> None:
    assert timestamps.canonical_micro("2024-02-20T00:00:00.123456789Z") == "2024-02-20T00:00:00.123456Z"
    assert timestamps.canonical_micro("2024-02-20T00:00:00Z") == "2024-02-20T00:00:00.000000Z"


@pytest.mark.parametrize(
    "text", ["", "now", "2024-02-20", "2024-13-01T00:00:00Z", "2024-02-20T00:00:00", "2024-W01-1T00:00:00Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(timestamps.TimeError, match="parsing time"):
        timestamps.parse(text)


@given(st.integers(0, 4_000_000_000))
def test_seconds_survive(seconds: int) -> None:
    assert timestamps.to_epoch(timestamps.from_epoch(seconds)) == seconds
    assert timestamps.to_epoch(timestamps.from_epoch(seconds + 0.9)) == seconds


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_instants_survive(instant: datetime) -> None:
    assert timestamps.parse(timestamps.format_micro_time(instant)) == instant


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_is_the_instant_in_utc_with_its_fraction_cut(instant: datetime, zone: timezone) -> None:
    cut = instant.replace(microsecond=0).isoformat() + "Z"
    assert timestamps.format_time(instant.replace(tzinfo=UTC).astimezone(zone)) == cut


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"),
        (179 * 60, "179m"), (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"),
        (48 * 3600, "2d"), (53 * 3600, "2d5h"), (8 * 86400, "8d"), (729 * 86400, "729d"), (730 * 86400, "2y"),
        (731 * 86400, "2y1d"), (3000 * 86400, "8y"),
    ],
)  # fmt: skip
def test_an_age_has_two_figures(seconds: int, text: str) -> None:
    assert timestamps.human_duration(seconds) == text


def test_a_short_age_has_one_figure() -> None:
    assert [timestamps.short_human_duration(each) for each in (-2, 59, 60, 3600, 90000, 86400 * 800)] == [
        "<invalid>", "59s", "1m", "1h", "1d", "2y",
    ]  # fmt: skip


def test_the_age_of_what_has_no_time_is_unknown() -> None:
    assert timestamps.age(None, 0) == "<unknown>"
    assert timestamps.age("1970-01-01T00:00:00Z", 30.5) == "30s"
