from __future__ import annotations

import pytest

from proa.lang.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30s", 30), ("1h15m30.5s", 4530.5), ("300ms", 0.3), ("-1m", -60), ("+2m", 120), (".5s", 0.5)],
)
def test_go_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "-", "1d", "s", "1s2", "1 s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s"):
        parse_duration(text)
