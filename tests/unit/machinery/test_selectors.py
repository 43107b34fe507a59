"""Label selectors: grammar, errors and matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.meta import LabelSelector, LabelSelectorRequirement
from proa.machinery.selectors import (
    EVERYTHING,
    NOTHING,
    Requirement,
    Selector,
    SelectorError,
    format_label_selector,
    label_selector,
    label_set,
    parse_labels,
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", ""), ("a=b", "a=b"), ("a==b", "a==b"), ("a!=b", "a!=b"), ("a", "a"), ("!a", "!a"), ("a>3", "a>3"),
        ("a<3", "a<3"), ("a in (c,b)", "a in (b,c)"), ("a notin ( b )", "a notin (b)"), ("b=1,a=2", "a=2,b=1"),
        ("a=", "a="), ("a=,b", "a=,b"), ("a in (b,)", "a in (,b)"), ("x.y/z in (1),!w", "!w,x.y/z in (1)"),
        ("in in (in)", "in in (in)"), ("a in ()", "a in ()"), ("a in (b,,c,)", "a in (,b,c)"), (" a = b ", "a=b"),
    ],
)  # fmt: skip
def test_what_parses_is_written_sorted(text: str, form: str) -> None:
    assert str(parse_labels(text)) == form


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "found 'c', expected: ',' or ')'"),
        ("x,,y", "found ',', expected: identifier after ','"),
        ("a in (b)c", "found 'c', expected: ',' or 'end of string'"),
        ("a>b", "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a/b/c", "a valid label key must consist of"),
        ("a=-", "a valid label must be an empty string or"),
        ("!", "found '', expected: identifier"),
        ("=a", "found '=', expected"),
    ],
)
def test_what_does_not_parse_says_why(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_labels(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("a=b", [{"a": "b"}], [{}, {"a": "c"}]),
        ("a!=b", [{}, {"a": "c"}], [{"a": "b"}]),
        ("a in (b,c)", [{"a": "b"}, {"a": "c"}], [{}, {"a": "d"}]),
        ("a notin (b,c)", [{}, {"a": "d"}], [{"a": "b"}]),
        ("a", [{"a": ""}], [{}]),
        ("!a", [{}], [{"a": ""}]),
        ("a>3", [{"a": "4"}], [{}, {"a": "3"}, {"a": "x"}, {"a": "1" * 30}]),
        ("a<3", [{"a": "-4"}], [{}, {"a": "3"}]),
        ("a=b,c=d", [{"a": "b", "c": "d"}], [{"a": "b"}, {"c": "d"}]),
        ("a=b,!c", [{"a": "b"}], [{"a": "b", "c": ""}]),
        ("", [{}, {"a": "b"}], []),
    ],
)
def test_matching(text: str, yes: list[dict[str, str]], no: list[dict[str, str]]) -> None:
    selector = parse_labels(text)
    assert all(selector.matches(each) for each in yes)
    assert not any(selector.matches(each) for each in no)


def test_an_absent_struct_selects_nothing_and_an_empty_one_everything() -> None:
    assert label_selector(None) is NOTHING
    assert not NOTHING.matches({})
    assert not NOTHING.empty
    assert label_selector(LabelSelector()) is EVERYTHING
    assert EVERYTHING.empty
    assert label_set({}).matches({"a": "b"})


def test_a_struct_means_its_labels_and_expressions() -> None:
    selector = label_selector(
        LabelSelector(
            matchLabels={"a": "b"},
            matchExpressions=(
                LabelSelectorRequirement(key="c", operator="In", values=("y", "x")),
                LabelSelectorRequirement(key="d", operator="DoesNotExist"),
            ),
        )
    )
    assert str(selector) == "a=b,c in (x,y),!d"
    assert selector.matches({"a": "b", "c": "x"})
    assert not selector.matches({"a": "b", "c": "x", "d": ""})
    assert selector.exact("a") == "b"
    assert selector.exact("c") is None
    assert format_label_selector(LabelSelector()) == "<none>"


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match='"Like" is not a valid label selector operator'):
        label_selector(LabelSelector(matchExpressions=(LabelSelectorRequirement(key="c", operator="Like"),)))


keys, values = st.sampled_from(["a", "b", "x.y/c"]), st.sampled_from(["", "1", "2", "v"])
requirements = st.one_of(
    st.builds(Requirement, keys, st.sampled_from(["=", "==", "!="]), st.tuples(values)),
    st.builds(
        Requirement, keys, st.sampled_from(["in", "notin"]), st.sets(values, min_size=1).map(lambda v: tuple(sorted(v)))
    ),
    st.builds(Requirement, keys, st.sampled_from(["exists", "!"])),
    st.builds(Requirement, keys, st.sampled_from(["gt", "lt"]), st.tuples(st.sampled_from(["1", "20"]))),
)


@given(st.lists(requirements), st.dictionaries(keys, values))
def test_the_text_form_means_the_same(parts: list[Requirement], labels: dict[str, str]) -> None:
    selector = Selector(parts)
    again = parse_labels(str(selector))
    assert again == selector
    assert hash(again) == hash(selector)
    assert again.matches(labels) is all(each.matches(labels) for each in parts)
