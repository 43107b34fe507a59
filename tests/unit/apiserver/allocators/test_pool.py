"""Numbers that are held, and which of a range is given next."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.apiserver.allocators.pool import Holds, Range


def test_a_number_is_free_when_the_last_who_held_it_gives_it_back() -> None:
    holds: Holds[int] = Holds()
    holds.hold(7)
    holds.hold(7)
    holds.release(7)
    assert 7 in holds
    holds.release(7)
    assert 7 not in holds


def test_giving_back_what_is_not_held_takes_nothing_from_those_who_come_later() -> None:
    holds: Holds[int] = Holds()
    holds.release(7)
    holds.hold(7)
    assert 7 in holds
    assert len(holds) == 1


@given(st.integers(1, 40), st.integers(0, 50), st.integers(0, 1000))
def test_every_number_is_given_once_the_lower_band_last(size: int, reserved: int, seed: int) -> None:
    numbers, chance = Range(100, size, reserved), Random(seed)
    holds: Holds[int] = Holds()
    given = []
    while (number := numbers.free(holds.__contains__, chance)) is not None:
        assert number in numbers
        holds.hold(number)
        given.append(number)
    assert sorted(given) == [*range(100, 100 + size)]
    lower = min(reserved, size)
    assert sorted(given[size - lower :]) == [*range(100, 100 + lower)]


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_range_gives_nothing(size: int) -> None:
    numbers = Range(100, size, 16)
    assert numbers.free(lambda number: False, Random(1)) is None
    assert 100 not in numbers
