"""kubectl's JSONPath dialect; expectations as the stock kubectl answers them."""

from __future__ import annotations

from typing import Any

import pytest

from proa.lang import jsonpath

PODS: dict[str, Any] = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "web"}},
            "n": 1,
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        },
        {"metadata": {"name": "b"}, "n": 2, "status": {}},
    ],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.kind}", "List"),
        ("kind: {.kind}!", "kind: List!"),
        ("{.items[*].metadata.name}", "a b"),
        ("{.items..name}", "a b"),
        ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "web"),
        ("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", "web"),
        ("{.items[0].metadata.labels['app.kubernetes.io/name']}", ""),
        ("{.items[*]['metadata.name','n']}", "a b 1 2"),
        ("{.items[0] .metadata .name}", "a"),
        ("{.items[-1].n}", "2"),
        ("{.items[0:1].n}", "1"),
        ("{.items[::2].n}", "1"),
        ("{.items[0,1].n}", "1 2"),
        ("{.items[?(@.n>1)].metadata.name}", "b"),
        ('{.items[?(@.metadata.name=="a")].n}', "1"),
        ("{.items[?(@.metadata.labels)].n}", "1"),
        ('{.items[0].status.conditions[?(@.type=="Ready")].status}', "True"),
        ('{range .items[*]}{.metadata.name}{"\\t"}{.n}{"\\n"}{end}', "a\t1\nb\t2\n"),
        ("{range .items[*]}{range .status.conditions[*]}{.type},{end};{end}", "Ready,Other,;;"),
        ("{.items[0].metadata.labels}", '{"app.kubernetes.io/name":"web"}'),
        ("{.items[*].nothing}", ""),
        ("{.items[9].n}", ""),
        ("{$.kind}{@.kind}", "ListList"),
        ('{"{literal}"}', "{literal}"),
    ],
)
def test_templates_render_as_in_kubectl(template: str, text: str) -> None:
    assert jsonpath.parse(template).render(PODS) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{.kind", "unclosed {"),
        ("{range .items[*]}{.n}", "without {end}"),
        ("{end}", "without {range}"),
        ("{kind}", "unrecognized expression"),
        ("{.items[x]}", "invalid array index"),
        ("{.items[?(@.n ~ 1)]}", "unexpected space"),
        ("{.items[?@.n]}", "a filter is written"),
        ('{.items["n"]}', "invalid array index"),
        ("{..*}", "must be followed by a field's name"),
        ("{.kind[?(@.n)]}", "only an array can be filtered"),
        ("{.items[::0]}", "invalid array index"),
    ],
)
def test_a_malformed_template_is_refused_with_the_part_that_is_wrong(template: str, words: str) -> None:
    with pytest.raises(jsonpath.JsonPathError) as error:
        jsonpath.parse(template).render(PODS)
    assert words in str(error.value)


def test_what_is_missing_is_an_error_when_that_is_not_allowed() -> None:
    with pytest.raises(jsonpath.JsonPathError, match="nothing is not found"):
        jsonpath.parse("{.nothing}", allow_missing=False).render(PODS)


@pytest.mark.parametrize("words", ["metadata.name", ".metadata.name", "{.metadata.name}", "{metadata.name}"])
def test_a_relaxed_expression_needs_neither_dot_nor_braces(words: str) -> None:
    assert jsonpath.relaxed(words) == "{.metadata.name}"
