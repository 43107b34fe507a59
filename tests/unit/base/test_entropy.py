from __future__ import annotations

import pickle

import pytest

from proa.base.entropy import BlockRandom


def test_values_are_in_their_ranges_and_do_not_repeat() -> None:
    random = BlockRandom()
    numbers = {random.getrandbits(128) for _ in range(2000)}
    assert len(numbers) == 2000
    assert max(numbers) < 2**128
    assert all(0.0 <= random.random() < 1.0 for _ in range(1000))
    assert {random.getrandbits(1) for _ in range(100)} == {0, 1}
    assert random.getrandbits(0) == 0


def test_more_bytes_than_a_block_can_be_had_at_once() -> None:
    assert len(BlockRandom().randbytes(10_000)) == 10_000


def test_all_values_of_a_choice_come_up() -> None:
    random = BlockRandom()
    assert {random.choice("abc") for _ in range(200)} == set("abc")


def test_it_cannot_be_copied_into_giving_the_same_twice() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(BlockRandom())
