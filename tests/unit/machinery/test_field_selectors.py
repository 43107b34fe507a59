"""Field selectors: grammar, supported fields and values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.field_selectors import FieldSelector, parse_fields
from proa.machinery.selectors import SelectorError


def test_terms_are_split_and_unescaped() -> None:
    selector = parse_fields("spec.nodeName=n1,status.phase!=Failed,a==b\\,c\\=d,e=")
    assert selector.requirements == (
        ("spec.nodeName", "=", "n1"), ("status.phase", "!=", "Failed"), ("a", "=", "b,c=d"), ("e", "=", ""),
    )  # fmt: skip
    assert parse_fields("").empty


@pytest.mark.parametrize("text", ["x", "a=b=c", "a=\\b", "a=\\"])
def test_what_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_fields(text)


def test_an_unsupported_field_is_named() -> None:
    selector = parse_fields("metadata.name=a,spec.foo=b")
    selector.check(["spec.foo"])
    with pytest.raises(SelectorError, match=r"field label not supported: spec\.foo"):
        selector.check(["spec.bar"])


def test_values_are_compared_as_texts() -> None:
    values = {"metadata.name": "a", "spec.unschedulable": "true", "status.phase": ""}
    assert parse_fields("metadata.name=a,status.phase!=Running").matches(values)
    assert not parse_fields("spec.unschedulable=false").matches(values)
    assert parse_fields("metadata.name=a").exact("metadata.name") == "a"
    assert parse_fields("metadata.name!=a").exact("metadata.name") is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b.c"]), st.sampled_from(["=", "!="]), st.text("x,=\\!", max_size=5))))
def test_the_text_form_means_the_same(requirements: list[tuple[str, str, str]]) -> None:
    selector = FieldSelector(requirements)
    assert parse_fields(str(selector)) == selector
