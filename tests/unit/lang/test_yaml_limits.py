from __future__ import annotations

import pytest

from proa.lang.yaml import YamlError, load


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "[" * 300 + "]" * 300,
        "{a: " * 300 + "1" + "}" * 300,
        "- " * 100_000 + "x",
        "? " * 100_000 + "x",
        "".join(" " * depth + "a:\n" for depth in range(700)),
    ],
    ids=["open", "flow", "mappings", "sequences", "keys", "indented"],
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(YamlError, match="max depth"):
        load(text)


def test_what_only_looks_deep_is_read() -> None:
    assert load("x: '" + "[{" * 5_000 + "'") == {"x": "[{" * 5_000}
    assert load("k: |\n" + " " * 400 + "indented\n")["k"] == "indented\n"
    assert load("[" * 100 + "]" * 100)


def test_aliases_may_not_multiply_without_end() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + at)}: &{chr(98 + at)} [{','.join(['*' + chr(97 + at)] * 9)}]" for at in range(9)]
    with pytest.raises(YamlError, match="excessive aliasing"):
        load("\n".join(lines))
    assert load("a: &a {x: 1}\nb: *a\nc: [*a, *a]") == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "[*b]"])
def test_an_anchor_cannot_hold_itself(text: str) -> None:
    with pytest.raises(YamlError, match=r"not defined, or holds itself|undefined alias"):
        load(text)
