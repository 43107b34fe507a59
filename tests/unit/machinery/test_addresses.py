"""Which spellings of addresses and networks are taken, and what is said about the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.machinery.addresses import canonical_cidr, canonical_ip_address, cidr, ip_address

NO_ADDRESS = ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
NO_NETWORK = ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("10.0.0.1", []),
        ("2001:DB8::1", []),
        ("", NO_ADDRESS),
        ("10.0.0", NO_ADDRESS),
        ("fe80::1%eth0", NO_ADDRESS),
        ("10.0.0.01", ["must not have leading 0s"]),
        ("::ffff:10.0.0.1", ["must not be an IPv4-mapped IPv6 address"]),
    ],
)
def test_an_address(text: str, problems: list[str]) -> None:
    assert ip_address(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("10.0.0.0/8", []),
        ("2001:DB8::/64", []),
        ("0.0.0.0/0", []),
        ("10.0.0.0", NO_NETWORK),
        ("10.0.0.0/33", NO_NETWORK),
        ("a/8", NO_NETWORK),
        ("10.0.0.0/255.0.0.0", NO_NETWORK),
        ("010.0.0.0/8", ["must not have leading 0s in IP or prefix length"]),
        ("10.0.0.0/08", ["must not have leading 0s in IP or prefix length"]),
        ("::ffff:10.0.0.0/104", ["must not have an IPv4-mapped IPv6 address"]),
        ("10.0.0.1/8", ["must not have bits set beyond the prefix length"]),
    ],
)
def test_a_network(text: str, problems: list[str]) -> None:
    assert cidr(text) == problems


def test_newer_fields_take_one_spelling_only() -> None:
    assert canonical_ip_address("2001:DB8::1") == ['must be in canonical form ("2001:db8::1")']
    assert canonical_ip_address("2001:db8::1") == []
    assert canonical_ip_address("x") == NO_ADDRESS
    assert canonical_cidr("2001:DB8::/64") == ['must be in canonical form ("2001:db8::/64")']
    assert canonical_cidr("10.0.0.0/8") == []


@given(st.ip_addresses())
def test_what_a_program_writes_is_canonical_unless_it_is_mapped(address: object) -> None:
    problems = canonical_ip_address(str(address))
    assert problems == [] or problems == ["must not be an IPv4-mapped IPv6 address"]
