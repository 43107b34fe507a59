from __future__ import annotations

import pytest

from proa.machinery.address_spelling import address_warnings, network_warnings
from proa.machinery.fields import Path

AT = Path("at")


@pytest.mark.parametrize("value", ["10.9.8.7", "2001:db8::ffff", "::1", "not an address", "", "fe80::1%eth0"])
def test_an_address_in_its_usual_spelling_or_none_at_all_is_nothing_to_tell_of(value: str) -> None:
    assert address_warnings(value, AT) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("010.002.003.004", 'at: non-standard IP address "010.002.003.004" is invalid: use "10.2.3.4"'),
        ("::ffff:1.2.3.4", 'at: non-standard IP address "::ffff:1.2.3.4" is invalid: use "1.2.3.4"'),
        ("FE80:0::1", 'at: IPv6 address "FE80:0::1" should be in RFC 5952 canonical format ("fe80::1")'),
    ],
)
def test_an_address_that_others_may_read_otherwise_is_told_of(value: str, said: str) -> None:
    assert address_warnings(value, AT) == [said]


@pytest.mark.parametrize("value", ["10.9.8.0/24", "2001:db8::/64", "10.9.8.7", "nothing/24", ""])
def test_a_network_in_its_usual_spelling_or_none_at_all_is_nothing_to_tell_of(value: str) -> None:
    assert network_warnings(value, AT) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "192.168.1.5/24",
            [
                'CIDR value "192.168.1.5/24" is ambiguous in this context '
                '(should be "192.168.1.0/24" or "192.168.1.5/32"?)'
            ],
        ),
        ("010.0.0.0/8", ['non-standard CIDR value "010.0.0.0/8" is invalid: use "10.0.0.0/8"']),
        ("10.0.0.0/08", ['non-standard CIDR value "10.0.0.0/08" is invalid: use "10.0.0.0/8"']),
        ("::ffff:1.2.3.0/120", ['non-standard CIDR value "::ffff:1.2.3.0/120" is invalid: use "1.2.3.0/24"']),
        (
            "2001:DB8:0::/64",
            ['IPv6 CIDR value "2001:DB8:0::/64" should be in RFC 5952 canonical format ("2001:db8::/64")'],
        ),
        (
            "2001:DB8::1/64",
            [
                'CIDR value "2001:DB8::1/64" is ambiguous in this context '
                '(should be "2001:db8::/64" or "2001:db8::1/128"?)'
            ],
        ),
        (
            "010.0.0.1/8",
            [
                'CIDR value "010.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
                'non-standard CIDR value "010.0.0.1/8" is invalid: use "10.0.0.0/8"',
            ],
        ),
    ],
)
def test_a_network_that_others_may_read_otherwise_is_told_of(value: str, said: list[str]) -> None:
    assert network_warnings(value, AT) == [f"at: {each}" for each in said]
