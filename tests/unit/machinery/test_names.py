"""Name rules accept and refuse what upstream does, in its words."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery import names


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (names.dns1123_label, ["a", "a-b", "1", "a" * 63], ["", "A", "-a", "a-", "a.b", "a_b", "a" * 64]),
        (names.dns1123_subdomain, ["a", "a.b", "a-1.b2", "a" * 253], ["", "a..b", ".a", "A", "a_b", "a" * 254]),
        (names.dns1035_label, ["a", "a1", "a-b"], ["", "1a", "A", "a-", "a" * 64]),
        (names.path_segment, ["system:node", "A b"], [".", "..", "a/b", "a%b"]),
        (names.qualified_name, ["a", "A_b.c", "a.b/C"], ["", "a/b/c", "/a", "a/", "A/b", "-a", "a" * 64]),
        (names.label_value, ["", "a", "A_b.c-d"], ["-", "a b", "a/b", "a" * 64]),
        (names.config_key, ["a", "A_b.c-d", "..a"[1:]], ["", ".", "..", "..a", "a/b"]),
        (names.env_var_name, ["A", "a.b", "_x"], ["", "1a", "a=b", ".."]),
        (names.relaxed_env_var_name, ["1a", "a b"], ["", "a=b", "ä"]),
        (names.sysctl_name, ["a", "net.ipv4.tcp_rmem", "net/ipv4.a-b"], ["", "foo-", "bar..", ".a", "A", "a" * 254]),
        (names.port_name, ["http", "a-1"], ["", "80", "-a", "a-", "a--b", "A", "a" * 16]),
        (names.percent, ["1%", "100%"], ["1", "a%"]),
        (names.http_header_name, ["X-A"], ["", "a b"]),
        (names.wildcard_subdomain, ["*.a.b"], ["*", "a.b", "*.A"]),
    ],
)
def test_a_rule(check: names.Check, good: list[str], bad: list[str]) -> None:
    assert {each: check(each) for each in good} == {each: [] for each in good}
    assert all(check(each) for each in bad), [each for each in bad if not check(each)]


def test_a_refusal_shows_examples_and_the_pattern() -> None:
    assert names.dns1123_label("A") == [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ]
    assert names.dns1123_label("a.b") == ["must not contain dots"]
    assert names.qualified_name("/a") == ["prefix part must be non-empty"]


def test_lengths_are_said_in_upstream_s_units() -> None:
    assert names.dns1123_label("a" * 64) == ["must be no more than 63 characters"]
    assert names.label_value("a" * 64) == ["must be no more than 63 bytes"]
    assert names.qualified_name("a" * 64) == ["name part must be no more than 63 bytes"]


def test_a_line_break_at_the_end_is_not_overlooked() -> None:
    assert names.dns1123_label("a\n")
    assert names.label_value("a\n")


@given(st.text("abc-", min_size=1, max_size=80).filter(lambda each: each[0] != "-"), st.integers())
def test_a_generated_name_fits_and_is_valid(prefix: str, seed: int) -> None:
    name = names.generate_name(prefix, Random(seed))
    assert len(name) <= 63
    assert names.dns1123_label(name) == []
    assert name[:-5] == prefix[:58]


def test_uids_are_random_uuids() -> None:
    random = Random(1)
    first, second = names.new_uid(random), names.new_uid(random)
    assert first != second
    assert UUID(first).version == 4


@given(seed=st.integers())
def test_a_uid_is_the_version_4_uuid_of_one_draw(seed: int) -> None:
    assert names.new_uid(Random(seed)) == str(UUID(int=Random(seed).getrandbits(128), version=4))


def test_a_hash_is_written_without_vowels() -> None:
    assert set(names.safe_encode("6b8b4567abcdef")) <= set("bcdfghjklmnpqrstvwxz2456789")
