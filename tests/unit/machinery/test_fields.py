"""Field paths and error lists read as Kubernetes users know them."""

from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.fields import ROOT, ErrorList, FieldError, Path, quoted


def test_a_path_shows_fields_items_and_keys() -> None:
    path = Path("spec").child("containers").index(0).child("resources", "limits").key("cpu")
    assert str(path) == "spec.containers[0].resources.limits[cpu]"


def test_a_path_from_the_root_has_no_leading_dot() -> None:
    assert str(ROOT.child("spec")) == "spec"
    assert str(ROOT) == ""


def test_extending_a_path_leaves_it_as_it_was() -> None:
    path = Path("spec")
    path.child("a")
    assert str(path) == "spec"
    assert path == Path("spec")


@given(st.lists(st.one_of(st.text("ab", min_size=1), st.integers(0, 9)), min_size=1))
def test_a_path_is_its_steps_in_order(steps: list[str | int]) -> None:
    path, text = ROOT, ""
    for step in steps:
        path = path.child(step) if isinstance(step, str) else path.index(step)
        text += f".{step}" if isinstance(step, str) else f"[{step}]"
    assert str(path) == text.removeprefix(".")


def test_each_kind_of_error_has_its_reason_and_wording() -> None:
    errors, at = ErrorList(), Path("f")
    errors.required(at, "must be set")
    errors.invalid(at, "X", "must be lower case")
    errors.invalid(at, -1)
    errors.invalid(at, True)
    errors.invalid(at, {"a": 1}, "no")
    errors.unsupported(at, "x", ["A", "B"])
    errors.duplicate(at, "n")
    errors.forbidden(at, "not now")
    errors.too_long(at, 5)
    errors.too_long(at, 1)
    errors.too_short(at, 2)
    errors.too_many(at, 3, 2)
    errors.too_few(at, 0, 1)
    errors.not_found(at, "n")
    errors.internal(at, "broken")
    errors.type_invalid(at, 3, "must be a string")
    errors.immutable(at, "y")
    assert [(each.reason, each.message) for each in errors] == [
        ("FieldValueRequired", "Required value: must be set"),
        ("FieldValueInvalid", 'Invalid value: "X": must be lower case'),
        ("FieldValueInvalid", "Invalid value: -1"),
        ("FieldValueInvalid", "Invalid value: true"),
        ("FieldValueInvalid", 'Invalid value: {"a":1}: no'),
        ("FieldValueNotSupported", 'Unsupported value: "x": supported values: "A", "B"'),
        ("FieldValueDuplicate", 'Duplicate value: "n"'),
        ("FieldValueForbidden", "Forbidden: not now"),
        ("FieldValueTooLong", "Too long: may not be more than 5 bytes"),
        ("FieldValueTooLong", "Too long: may not be more than 1 byte"),
        ("FieldValueTooShort", "Too short: must be at least 2 bytes"),
        ("FieldValueTooMany", "Too many: 3: must have at most 2 items"),
        ("FieldValueTooFew", "Too few: 0: must have at least 1 item"),
        ("FieldValueNotFound", 'Not found: "n"'),
        ("InternalError", "Internal error: broken"),
        ("FieldValueTypeInvalid", "Invalid value: 3: must be a string"),
        ("FieldValueInvalid", 'Invalid value: "y": field is immutable'),
    ]


def test_several_errors_are_listed_in_brackets_and_repeats_once() -> None:
    errors = ErrorList()
    assert not errors
    assert errors.message == ""
    errors.required(Path("a"))
    assert errors.message == "a: Required value"
    errors.required(Path("b"))
    errors.required(Path("a"))
    assert errors.message == "[a: Required value, b: Required value]"
    assert len(errors.causes()) == 3
    assert errors.causes()[1].field == "b"


def test_quoting_escapes_what_a_terminal_must_not_see() -> None:
    assert quoted('a"b\\c\n\x1b') == '"a\\"b\\\\c\\n\\x1b"'
    assert quoted("ä") == '"ä"'


def test_what_is_tolerated_is_no_error() -> None:
    errors = ErrorList()
    assert errors.tolerated == ()
    one, other = (FieldError("FieldValueInvalid", name) for name in "ab")
    errors.tolerate(one)
    errors.tolerate(other)
    assert (list(errors), errors.tolerated) == ([], (one, other))
