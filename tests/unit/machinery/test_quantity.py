"""Quantities are exact, and their canonical form is upstream's."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.quantity import Quantity, QuantityError, canonical, parse


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0", "0"), ("0Mi", "0"), ("-0", "0"), (1, "1"), (0.5, "500m"), ("0.5", "500m"), ("1000m", "1"),
        ("1500m", "1500m"), ("1.5", "1500m"), ("100m", "100m"), ("1k", "1k"), ("1000", "1k"), ("1500", "1500"),
        ("1.5Gi", "1536Mi"), ("1024Mi", "1Gi"), ("1000Mi", "1000Mi"), ("1023", "1023"), ("1024", "1024"),
        ("1Ki", "1Ki"), ("0.5Ki", "512"), ("0.1Ki", "102400m"), ("1.1Ki", "1126400m"), ("12e6", "12e6"),
        ("1200e4", "12e6"), ("1E3", "1e3"), ("1e0", "1"), ("1e-3", "1e-3"), ("1e1", "10"), ("1E", "1E"),
        ("100E", "100E"), ("10000E", "10000E"),
        ("0.1n", "1n"), ("0.0000000001", "1n"), ("1.0000000001", "1000000001n"), ("+5", "5"), ("-1.5", "-1500m"),
        ("-1.5Ki", "-1536"), (".5", "500m"), ("5.", "5"), ("1Ei", "1Ei"), ("100Ei", "9223372036854775807"),
        (" 1 ", "1"),
    ],
)  # fmt: skip
def test_the_canonical_form(text: str | float, form: str) -> None:
    assert canonical(text) == form


@pytest.mark.parametrize("text", ["", "a", "1KiB", "1.2.3", ".", "1 Gi", "Mi", "--1", "0x10", "١", "1e", "1mm"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse(text)


def test_a_hostile_exponent_is_refused_at_once() -> None:
    with pytest.raises(QuantityError):
        parse("1e1000000000")


def test_a_boolean_is_no_quantity() -> None:
    with pytest.raises(QuantityError):
        parse(True)


def test_whole_units_and_thousandths_are_rounded_away_from_zero() -> None:
    assert (parse("1.1").value, parse("-1.1").value, parse("2").value) == (2, -2, 2)
    assert (parse("0.0001").milli, parse("1500m").milli) == (1, 1500)


def test_a_sum_keeps_the_first_format_unless_it_is_nothing() -> None:
    assert str(parse("1Gi") + parse("1024Mi")) == "2Gi"
    assert str(Quantity(0) + parse("1Gi")) == "1Gi"
    assert str(parse("2") - parse("500m")) == "1500m"
    assert str(parse("100m") * 3) == "300m"
    assert str(-parse("1Gi")) == "-1Gi"


def test_equal_values_are_equal_whatever_their_format() -> None:
    assert parse("1Ki") == parse("1024")
    assert len({parse("1Ki"), parse("1024")}) == 1
    assert parse("1") != "1"


amounts = st.builds(
    lambda sign, whole, fraction, suffix: f"{sign}{whole}{'.' + fraction if fraction else ''}{suffix}",
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**6),
    st.text("0123456789", max_size=6),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "e3", "e-2", "E5"]),
)


@given(amounts)
def test_the_canonical_form_is_canonical_and_says_the_same(text: str) -> None:
    form = canonical(text)
    assert canonical(form) == form
    assert parse(form) == parse(text)
    assert "." not in form


@given(amounts, amounts)
def test_arithmetic_and_order_agree_with_exact_fractions(left: str, right: str) -> None:
    a, b = parse(left), parse(right)
    exact = Fraction(a.nanos, 10**9), Fraction(b.nanos, 10**9)
    assert Fraction((a + b).nanos, 10**9) == sum(exact)
    assert (a < b) is (exact[0] < exact[1])
    assert (a == b) is (exact[0] == exact[1])
    assert (a + b) - b == a
    assert abs(a.value) >= abs(exact[0])
    assert abs(a.value) - abs(exact[0]) < 1


@given(st.integers(-(2**60), 2**60))
def test_whole_numbers_survive_every_format(number: int) -> None:
    for format in ("DecimalSI", "BinarySI", "DecimalExponent"):
        assert parse(str(Quantity.of(number, format))).value == number  # type: ignore[arg-type]
