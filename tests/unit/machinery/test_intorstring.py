"""Counts or percentages."""

import pytest

from proa.machinery.intorstring import PercentError, percentage, scaled


def test_a_number_is_itself() -> None:
    assert scaled(3, 10, round_up=True) == 3


def test_a_percentage_is_rounded_as_told() -> None:
    assert scaled("25%", 10, round_up=True) == 3
    assert scaled("25%", 10, round_up=False) == 2
    assert scaled("100%", 7, round_up=False) == 7


@pytest.mark.parametrize("text", ["25", "%", "a%", "2.5%", "²%"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(PercentError):
        percentage(text)
