"""Seccomp programs, run by a small interpreter of the kernel's instruction set."""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.linux import capabilities, seccomp
from proa.linux.seccomp import ALLOW, DENY, MISSING, Condition, Profile, ProfileError, Rule

X86_64, I386 = 0xC000003E, 0x40000003
NUMBERS = seccomp._numbers()


def run(program: bytes, number: int, arguments: Sequence[int] = (), architecture: int = X86_64) -> int:
    """What the kernel would answer to the system call."""
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *values)
    code = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, len(program), 8)]
    accumulator = position = 0
    while True:
        opcode, yes, no, value = code[position]
        position += 1
        match opcode:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                position += value
            case 0x15:
                position += yes if accumulator == value else no
            case 0x25:
                position += yes if accumulator > value else no
            case 0x35:
                position += yes if accumulator >= value else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"opcode {opcode:#x}")


@pytest.fixture(scope="module")
def default() -> bytes:
    return seccomp.compile_profile(seccomp.default(capabilities.DEFAULT), "x86_64")


def call(program: bytes, name: str, *arguments: int) -> int:
    return run(program, NUMBERS["x86_64"][name], arguments)


@pytest.mark.parametrize(
    "name", ["read", "openat", "execve", "setuid", "chroot", "futex", "mseal", "ptrace", "landlock_restrict_self"]
)
def test_the_default_profile_allows_ordinary_calls(default: bytes, name: str) -> None:
    assert call(default, name) == ALLOW


@pytest.mark.parametrize(
    "name", ["mount", "bpf", "keyctl", "kexec_load", "io_uring_setup", "init_module", "unshare", "userfaultfd"]
)
def test_the_default_profile_refuses_what_reaches_the_host(default: bytes, name: str) -> None:
    assert call(default, name) == DENY


def test_new_namespaces_are_refused_but_threads_and_forks_are_not(default: bytes) -> None:
    assert call(default, "clone", 0x3D0F00) == ALLOW
    assert call(default, "clone", 17) == ALLOW
    for flag in (0x20000, 0x02000000, 0x10000000, 0x40000000):
        assert call(default, "clone", flag | 17) == DENY
    assert call(default, "clone3") == MISSING


def test_arguments_are_looked_at(default: bytes) -> None:
    assert call(default, "socket", 2) == ALLOW
    assert call(default, "socket", 40) == DENY
    assert call(default, "personality", 8) == ALLOW
    assert call(default, "personality", 0xFFFFFFFF) == ALLOW
    assert call(default, "personality", 0x0040000) == DENY


def test_calls_nobody_knows_yet_do_not_exist(default: bytes) -> None:
    assert run(default, 4000) == MISSING
    assert run(default, 0x40000000 | NUMBERS["x86_64"]["read"]) == MISSING  # x32


def test_32_bit_programs_have_the_same_profile_and_other_machines_none(default: bytes) -> None:
    assert run(default, NUMBERS["i386"]["mount"], (), I386) == DENY
    assert run(default, NUMBERS["i386"]["read"], (), I386) == ALLOW
    assert run(default, 0, (), 0xC00000B7) == MISSING


def test_a_capability_unlocks_its_calls() -> None:
    program = seccomp.compile_profile(seccomp.default(frozenset({"SYS_ADMIN", "SYS_TIME"})), "x86_64")
    assert call(program, "mount") == call(program, "unshare") == call(program, "clock_settime") == ALLOW
    assert call(program, "clone3") == ALLOW
    assert call(program, "init_module") == DENY
    assert call(program, "keyctl") == DENY


OPERATIONS = {
    "EQ": lambda have, value, second: have == value,
    "NE": lambda have, value, second: have != value,
    "LT": lambda have, value, second: have < value,
    "LE": lambda have, value, second: have <= value,
    "GT": lambda have, value, second: have > value,
    "GE": lambda have, value, second: have >= value,
    "MASKED_EQ": lambda have, value, second: have & value == second,
}
WORD = st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1), st.sampled_from([2**32 - 1, 2**32, 2**63, 2**64 - 1]))


@given(operator=st.sampled_from(sorted(OPERATIONS)), have=WORD, value=WORD, second=WORD, index=st.integers(0, 5))
def test_every_comparison_is_one_of_64_bits(operator: str, have: int, value: int, second: int, index: int) -> None:
    profile = Profile(DENY, (Rule(("read",), ALLOW, (Condition(index, operator, value, second),)),))
    program = seccomp.compile_profile(profile, "x86_64")
    arguments = [0] * 6
    arguments[index] = have
    expected = ALLOW if OPERATIONS[operator](have, value, second) else DENY
    assert run(program, 0, arguments) == expected


@given(first=WORD, second=WORD)
def test_all_conditions_of_a_rule_must_hold(first: int, second: int) -> None:
    conditions = (Condition(0, "GE", 10), Condition(1, "NE", 7))
    program = seccomp.compile_profile(Profile(DENY, (Rule(("read",), ALLOW, conditions),)), "x86_64")
    assert run(program, 0, (first, second)) == (ALLOW if first >= 10 and second != 7 else DENY)


def test_an_oci_profile_is_read() -> None:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "syscalls": [
            {"names": ["read", "write", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
            {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["open"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        ],
    }
    program = seccomp.compile_profile(seccomp.parse(json.dumps(document), frozenset(), "x86_64"), "x86_64")
    assert call(program, "read") == call(program, "socket", 1) == ALLOW
    assert call(program, "socket", 2) == call(program, "mount") == call(program, "open") == seccomp.ERRNO | errno.ENOSYS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a seccomp profile"),
        ("{}", "KeyError: 'defaultAction'"),
        ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "defaultAction: 'SCMP_ACT_NOTIFY' is not supported"),
        (
            '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_KILL",'
            ' "args": [{"index": 9, "op": "SCMP_CMP_EQ", "value": 1}]}]}',
            r"syscalls\[0\].args\[0\].index: 9",
        ),
    ],
)
def test_a_wrong_profile_is_refused_with_the_member(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        seccomp.parse(text, frozenset())


def test_machines_without_a_table_are_refused() -> None:
    with pytest.raises(ProfileError, match="no system call numbers for riscv64"):
        seccomp.compile_profile(Profile(ALLOW, ()), "riscv64")
