from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proa.store.keyspace import Keyspace

keys = st.text("ab/ä\uffff\U0001f6f6", max_size=4)


@given(
    st.dictionaries(keys, st.integers(), max_size=12),
    st.dictionaries(keys, st.none() | st.integers(), max_size=6),
    keys,
    keys,
    st.integers(0, 5),
)
def test_a_page_is_what_undoing_sorting_and_cutting_gives(
    values: dict[str, int], undo: dict[str, int | None], prefix: str, after: str, limit: int
) -> None:
    space: Keyspace[int] = Keyspace()
    space.replace(values)
    undone = {**values, **undo}
    want = [
        value
        for key, value in sorted(undone.items())
        if value is not None and key.startswith(prefix) and (not after or key > after)
    ]
    page, remaining = space.page(prefix, after, limit, undo)
    assert page == (want[:limit] if limit else want)
    assert remaining == len(want) - len(page)


@given(st.dictionaries(keys, st.integers()))
def test_keys_sort_as_their_utf_8_bytes_do(values: dict[str, int]) -> None:
    space: Keyspace[int] = Keyspace()
    for key, value in values.items():
        space.put(key, value)
    assert list(space) == [values[key] for key in sorted(values, key=str.encode)]
