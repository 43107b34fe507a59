"""YAML as sigs.k8s.io/yaml reads it, and as kubectl prints it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.lang import yaml

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(categories=("L", "N"))), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("true", True),
        ("y", True),
        ("n", False),
        ("~", None),
        ("", None),
        ("0777", 511),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("-1", -1),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("12:30:45", "12:30:45"),
        ("2020-01-02", "2020-01-02"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("'1'", "1"),
        ("!!binary aGk=", "hi"),
        ("!!str 1", "1"),
    ],
)
def test_scalars_are_read_as_go_reads_them(text: str, value: object) -> None:
    found = yaml.load(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_strings_whatever_they_look_like() -> None:
    assert yaml.load("1: a\ntrue: b\n1e3: c\n1.5: d") == {"1": "a", "true": "b", "1000": "c", "1.5": "d"}


def test_a_merged_mapping_gives_way_to_the_mapping_itself() -> None:
    assert yaml.load("x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}")["z"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", 'key "a" already set in map'),
        ("1: a\n'1': b", 'key "1" already set in map'),
        ("y: a\non: b", 'key "true" already set in map'),
        ("a: .nan", "JSON has no number"),
        ("a: 1e999", "too large"),
        ("? [a]\n: 1", "a key must be a string"),
        ("a: [", "line 2"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_json_cannot_say_is_an_error_that_says_where(text: str, words: str) -> None:
    with pytest.raises(yaml.YamlError, match=r"line \d") as error:
        yaml.load(text)
    assert words in str(error.value)


def test_empty_documents_are_left_out() -> None:
    assert list(yaml.documents("---\na: 1\n---\n# nothing\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]


def test_two_documents_are_not_one() -> None:
    with pytest.raises(yaml.YamlError, match="found 2"):
        yaml.load("a: 1\n---\nb: 2")


def test_it_prints_sorted_keys_flat_lists_and_quotes_what_would_be_read_otherwise() -> None:
    value = {"b": [{"y": "true"}, "1"], "a": None, "c": "on", "d": "two\nlines\n", "e": "2020-01-02", "f": {}}
    assert yaml.dump(value) == (
        'a: null\nb:\n- "y": "true"\n- "1"\nc: "on"\nd: |\n  two\n  lines\ne: "2020-01-02"\nf: {}\n'
    )


@given(JSON)
def test_what_is_printed_is_read_back(value: object) -> None:
    assert yaml.load(yaml.dump({"value": value})) == {"value": value}
