"""Sets of completion indexes, as a Job's status spells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.controllers.job.indexes import parse, spell


@pytest.mark.parametrize(
    ("indexes", "text"), [(set(), ""), ({0}, "0"), ({0, 1}, "0-1"), ({5, 1, 2, 3, 7}, "1-3,5,7"), ({2, 4}, "2,4")]
)
def test_runs_of_indexes_are_joined(indexes: set[int], text: str) -> None:
    assert spell(indexes) == text


@given(st.sets(st.integers(0, 200)))
def test_what_is_spelt_is_read_back(indexes: set[int]) -> None:
    assert parse(spell(indexes), 201) == indexes


def test_indexes_beyond_the_completions_and_nonsense_are_left_out() -> None:
    assert parse("0-9,x,3-,12", 4) == {0, 1, 2, 3}
