from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.store.splice import ForeignValueError, at_revision, served, stored


def test_the_revision_is_spliced_into_the_metadata_and_out_again() -> None:
    value = b'{"metadata":{"name":"a"},"kind":"Pod"}'
    body = served(value, 42)
    assert body == b'{"metadata":{"resourceVersion":"42","name":"a"},"kind":"Pod"}'
    assert stored(body) == value
    assert stored(value) == value


def test_empty_metadata_takes_a_revision_too() -> None:
    assert served(b'{"metadata":{},"kind":"Pod"}', 7) == b'{"metadata":{"resourceVersion":"7"},"kind":"Pod"}'
    assert stored(b'{"metadata":{"resourceVersion":"7"},"kind":"Pod"}') == b'{"metadata":{},"kind":"Pod"}'


def test_a_body_can_be_shown_at_another_revision() -> None:
    assert at_revision(served(b'{"metadata":{"name":"a"}}', 7), 1234) == served(b'{"metadata":{"name":"a"}}', 1234)


def test_a_value_somebody_else_wrote_is_brought_into_our_order() -> None:
    value = b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"3"},"spec":{"x":1e3}}'
    body = served(value, 9)
    assert body == b'{"metadata":{"resourceVersion":"9","name":"a"},"kind":"Pod","apiVersion":"v1","spec":{"x":1000.0}}'
    assert stored(value) == stored(body)


@pytest.mark.parametrize("value", [b"k8s\0\x0a", b"[]", b"", b"{}", b'{"metadata":null}', b'{"metadata":[]}', b"null"])
def test_a_value_that_is_no_object_with_metadata_is_refused(value: bytes) -> None:
    with pytest.raises(ForeignValueError, match="storage-media-type"):
        served(value, 1)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), json, max_size=3), st.dictionaries(st.text(), json, max_size=3), st.integers(1, 2**62)
)
def test_splicing_equals_decoding_setting_and_encoding(
    metadata: dict[str, object], rest: dict[str, object], revision: int
) -> None:
    metadata.pop("resourceVersion", None)
    rest.pop("metadata", None)
    value = msgspec.json.encode({"metadata": metadata, **rest})
    body = served(value, revision)
    assert msgspec.json.decode(body) == {"metadata": {**metadata, "resourceVersion": str(revision)}, **rest}
    assert stored(body) == value
