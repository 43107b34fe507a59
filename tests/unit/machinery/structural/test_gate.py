"""The gate may refuse what is right, but never lets pass what is wrong."""

from __future__ import annotations

import contextlib
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.decode import FieldValidation
from proa.machinery.fields import ErrorList
from proa.machinery.status import StatusError
from proa.machinery.structural.explain import explain
from proa.machinery.structural.form import StructuralForm
from proa.machinery.structural.gate import remainder
from proa.machinery.structural.prune import prune

GVK = ("example.com", "v1", "Thing")
NAMES = st.sampled_from(["a", "b-c", "metadata", "kind"])


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


BOUNDS = _some(
    minimum=st.integers(-3, 3),
    maximum=st.integers(-3, 6) | st.just(2.5),
    exclusiveMinimum=st.booleans(),
    exclusiveMaximum=st.booleans(),
    multipleOf=st.integers(1, 3),
    nullable=st.booleans(),
)
TEXTS = _some(
    minLength=st.integers(0, 2),
    maxLength=st.integers(0, 3),
    pattern=st.sampled_from(["^a", "b+$"]),
    format=st.sampled_from(["ipv4", "date", "uuid", "odd"]),
    enum=st.lists(st.sampled_from(["a", "ab", "c"]), min_size=1),
    nullable=st.booleans(),
)
SCALARS = st.one_of(
    TEXTS.map(lambda said: {"type": "string", **said}),
    BOUNDS.map(lambda said: {"type": "integer", **said}),
    BOUNDS.map(lambda said: {"type": "number", **said}),
    st.just({"type": "integer", "format": "int32"}),
    st.just({"type": "integer", "enum": [1, 2]}),
    st.just({"type": "boolean"}),
    st.just({"x-kubernetes-int-or-string": True}),
    st.just({"x-kubernetes-preserve-unknown-fields": True}),
    st.just({"type": "integer", "anyOf": [{"minimum": 2}, {"maximum": -2}]}),
    st.just({"type": "string", "not": {"maxLength": 1}}),
)


def _containers(below: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = _some(minItems=st.integers(0, 1), maxItems=st.integers(0, 2), nullable=st.booleans())
    sizes = _some(minProperties=st.integers(0, 1), maxProperties=st.integers(0, 2))
    return st.one_of(
        st.builds(lambda item, said: {"type": "array", "items": item, **said}, below, lists),
        st.builds(lambda value, said: {"type": "object", "additionalProperties": value, **said}, below, sizes),
        st.builds(
            lambda properties, required, preserve, said: {
                "type": "object",
                "properties": properties,
                "required": required,
                **({"x-kubernetes-preserve-unknown-fields": True} if preserve else {}),
                **said,
            },
            st.dictionaries(NAMES, below, max_size=3),
            st.lists(NAMES, max_size=1),
            st.booleans(),
            sizes,
        ),
    )


SCHEMAS = st.recursive(SCALARS, _containers, max_leaves=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 8)
    | st.just(1 << 40)
    | st.sampled_from([1.0, 2.5, -1.5])
    | st.sampled_from(["", "a", "ab", "c", "1.2.3.4", "2020-01-02"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=6,
)


def _form(spec: dict[str, Any]) -> StructuralForm:
    return StructuralForm(lambda: {"type": "object", "properties": {"spec": spec}}, GVK)


@given(SCHEMAS, VALUES)
def test_what_passes_the_gate_has_nothing_wrong_in_it(schema: dict[str, Any], value: Any) -> None:
    form = _form(schema)
    document = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": value}
    rest = remainder(form.root, root=True)
    if not form._passes(document):
        return
    assert prune(deepcopy(document), form.root) == []
    if rest is None or rest(document):
        errors = ErrorList()
        explain(document, form.root, errors)
        assert list(errors) == []


@given(SCHEMAS, VALUES)
def test_every_document_is_accepted_or_refused_with_a_reason(schema: dict[str, Any], value: Any) -> None:
    form = _form(schema)
    document = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": value}
    with contextlib.suppress(StatusError):
        form.shape(document, FieldValidation.WARN)
    form.default(document)
    errors = ErrorList()
    form.validate(document, form.typed(document), errors)
    assert all(each.message for each in errors)
    assert form.undeclared(document) == []
    shown = deepcopy(document)
    form.coerce(shown, drop=True)
    assert shown == document
