"""Seccomp profiles and their compiler to classic BPF.

A profile is data: what happens to calls no rule names, and rules in order, the first that matches deciding. `default`
is what container runtimes apply when a pod says RuntimeDefault; `parse` reads the OCI runtime-spec's JSON
(config-linux.md#seccomp) of Localhost profiles. The agent compiles; a container's init only loads the program
(`process.load_seccomp`). Numbers of system calls come from syscalls.json, made from the kernel's headers.
"""

from __future__ import annotations

import errno
import functools
import json
import platform
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proa.base.errors import ProaError

KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, TRACE, LOG, ALLOW = (
    *(0x80000000, 0x00000000, 0x00030000, 0x00050000),
    *(0x7FF00000, 0x7FFC0000, 0x7FFF0000),
)
DENY = ERRNO | errno.EPERM
MISSING = ERRNO | errno.ENOSYS

_ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
}
_OPERATORS = ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")

# audit architecture numbers (linux/audit.h) of each machine: itself, and what else it can run
_ARCHITECTURES = {
    "x86_64": (("x86_64", 0xC000003E), ("i386", 0x40000003)),
    "aarch64": (("aarch64", 0xC00000B7),),
}
_X32_BIT = 0x40000000


class ProfileError(ProaError, ValueError):
    """A profile that can not be read or compiled; the message names the member."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Argument `index` compared with `value`; for MASKED_EQ, argument & `value` == `second`."""

    index: int
    operator: str
    value: int
    second: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls by name, met when every condition holds. Names that an architecture does not have are skipped there."""

    names: tuple[str, ...]
    action: int
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    default: int
    rules: tuple[Rule, ...]


# Refused unless the container has one of the capabilities; the rest of the kernel's calls are harmless by themselves
# or checked by the kernel against capabilities a container does not have.
_GUARDED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("SYS_ADMIN",), ("fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount")),
    (("SYS_ADMIN",), ("mount_setattr", "move_mount", "open_tree", "open_tree_attr", "pivot_root", "listmount")),
    (("SYS_ADMIN",), ("quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "statmount")),
    (("SYS_ADMIN",), ("swapoff", "swapon", "umount", "umount2", "unshare")),
    (("SYS_ADMIN", "BPF"), ("bpf",)),
    (("SYS_ADMIN", "PERFMON"), ("perf_event_open",)),
    (("SYS_ADMIN", "SYSLOG"), ("syslog",)),
    (("SYS_BOOT",), ("kexec_file_load", "kexec_load", "reboot")),
    (("SYS_CHROOT",), ("chroot",)),
    (("SYS_MODULE",), ("create_module", "delete_module", "finit_module", "init_module", "query_module")),
    (("SYS_NICE",), ("get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy")),
    (("SYS_NICE",), ("set_mempolicy_home_node",)),
    (("SYS_PACCT",), ("acct",)),
    (("SYS_PTRACE",), ("kcmp", "pidfd_getfd", "process_madvise")),
    (("SYS_RAWIO",), ("ioperm", "iopl")),
    (("SYS_TIME",), ("clock_settime", "clock_settime64", "settimeofday", "stime")),
    (("SYS_TTY_CONFIG",), ("vhangup",)),
    (("DAC_READ_SEARCH",), ("open_by_handle_at",)),
)
_NEVER = (
    *("_sysctl", "add_key", "get_kernel_syms", "io_uring_enter", "io_uring_register", "io_uring_setup", "keyctl"),
    *("nfsservctl", "request_key", "sysfs", "uselib", "userfaultfd", "ustat", "vm86", "vm86old"),
)
_NAMESPACE_FLAGS = 0x7E020000
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)


def default(capabilities: frozenset[str]) -> Profile:
    """The profile RuntimeDefault for a container with these capabilities."""
    refused = [name for needed, names in _GUARDED if capabilities.isdisjoint(needed) for name in names]
    rules = [Rule((*_NEVER, *refused), DENY)]
    if "SYS_ADMIN" not in capabilities:
        rules.append(Rule(("clone",), ALLOW, (Condition(0, "MASKED_EQ", _NAMESPACE_FLAGS, 0),)))
        rules.append(Rule(("clone",), DENY))
        rules.append(Rule(("clone3",), MISSING))  # its flags are in memory, out of a filter's reach: libc takes clone
    rules += [Rule(("personality",), ALLOW, (Condition(0, "EQ", value),)) for value in _PERSONALITIES]
    rules.append(Rule(("personality",), DENY))
    rules.append(Rule(("socket",), DENY, (Condition(0, "EQ", _AF_VSOCK),)))
    return Profile(ALLOW, tuple(rules))


def parse(text: bytes | str, capabilities: frozenset[str], machine: str = "") -> Profile:
    """A profile in the OCI runtime-spec's (or docker's, with includes and excludes) JSON. Raises ProfileError."""
    machine = machine or platform.machine()
    try:
        document = json.loads(text)
        fallback = _action(document["defaultAction"], document.get("defaultErrnoRet"), "defaultAction")
        rules: list[Rule] = []
        for index, item in enumerate(document.get("syscalls") or ()):
            where = f"syscalls[{index}]"
            if not _applies(item, capabilities, machine):
                continue
            names = tuple(item.get("names") or [item["name"]])
            conditions = tuple(
                _condition(value, f"{where}.args[{number}]") for number, value in enumerate(item.get("args") or ())
            )
            rules.append(Rule(names, _action(item["action"], item.get("errnoRet"), f"{where}.action"), conditions))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ProfileError(f"not a seccomp profile: {type(error).__name__}: {error}") from error
    # conditions first: an unconditional rule for the same call is what remains when none of them holds
    return Profile(fallback, tuple(sorted(rules, key=lambda rule: not rule.conditions)))


def _action(name: str, number: int | None, where: str) -> int:
    if name not in _ACTIONS:
        raise ProfileError(f"{where}: {name!r} is not supported: use one of {', '.join(_ACTIONS)}")
    action = _ACTIONS[name]
    if action in (ERRNO, TRACE):
        action |= errno.EPERM if number is None else number
    return action


def _condition(value: Mapping[str, Any], where: str) -> Condition:
    operator = str(value["op"]).removeprefix("SCMP_CMP_")
    if operator not in _OPERATORS:
        raise ProfileError(f"{where}.op: {value['op']!r} is unknown: use SCMP_CMP_ and one of {', '.join(_OPERATORS)}")
    if not 0 <= value["index"] <= 5:
        raise ProfileError(f"{where}.index: {value['index']} is not an argument's number: use 0 to 5")
    return Condition(value["index"], operator, value["value"], value.get("valueTwo", 0))


def _applies(item: Mapping[str, Any], capabilities: frozenset[str], machine: str) -> bool:
    """docker's extension: a rule for some capabilities, architectures or old kernels only."""
    includes, excludes = item.get("includes") or {}, item.get("excludes") or {}
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    needed = {name.removeprefix("CAP_") for name in includes.get("caps") or ()}
    unwanted = {name.removeprefix("CAP_") for name in excludes.get("caps") or ()}
    if includes.get("arches") and architecture not in includes["arches"]:
        return False
    if architecture in (excludes.get("arches") or ()) or (excludes.get("minKernel")):
        return False
    return needed <= capabilities and not (unwanted & capabilities)


@functools.cache
def _numbers() -> dict[str, dict[str, int]]:
    tables: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("syscalls.json").read_bytes())
    return tables


# -- the compiler: linux/filter.h opcodes, struct seccomp_data offsets

_LOAD, _JEQ, _JGT, _JGE, _AND, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]


def compile_profile(profile: Profile, machine: str = "") -> bytes:
    """The filter program for a machine (default: this one). Raises ProfileError for one that is not known."""
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise ProfileError(f"no system call numbers for {machine}: known are {', '.join(_ARCHITECTURES)}")
    code: list[Instruction] = []
    for name, number in _ARCHITECTURES[machine]:
        section = _section(profile, _numbers()[name], x32=name == "x86_64")
        # the next architecture may be farther than a conditional jump's 255: jump over an unconditional one
        code += [(_LOAD, 0, 0, _ARCHITECTURE), (_JEQ, 1, 0, number), (0x05, 0, 0, len(section)), *section]
    code.append((_RETURN, 0, 0, MISSING))
    if len(code) > 4096:
        raise ProfileError(f"the profile needs {len(code)} instructions, the kernel takes 4096")
    return b"".join(struct.pack("=HBBI", *item) for item in code)


def _section(profile: Profile, numbers: Mapping[str, int], *, x32: bool) -> list[Instruction]:
    code: list[Instruction] = [(_LOAD, 0, 0, _NUMBER)]
    if x32:
        code += [(_JGE, 0, 1, _X32_BIT), (_RETURN, 0, 0, MISSING)]
    for rule in profile.rules:
        known = sorted({numbers[name] for name in rule.names if name in numbers})
        if rule.conditions:
            for number in known:
                body = [item for condition in rule.conditions for item in _test(condition)]
                body = _resolve([*body, (_RETURN, 0, 0, rule.action)])
                code += [(_JEQ, 0, len(body) + 1, number), *body, (_LOAD, 0, 0, _NUMBER)]
        else:
            for first, last in _ranges(known):
                code += [(_JGE, 0, 2, first), (_JGT, 1, 0, last), (_RETURN, 0, 0, rule.action)]
    # what came after our table is not known to be harmless, nor to exist
    code += [(_JGT, 0, 1, max(numbers.values())), (_RETURN, 0, 0, MISSING), (_RETURN, 0, 0, profile.default)]
    return code


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive runs."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


_FAIL, _PASS = -1, -2  # jump targets of a test: out of the rule's body; to the end of this test


def _test(condition: Condition) -> list[Instruction]:
    """Compare a 64-bit argument by halves; the values of jt and jf are instructions to skip, _FAIL or _PASS."""
    low, high = condition.value & 0xFFFFFFFF, condition.value >> 32
    low_at = _ARGUMENTS + 8 * condition.index
    load_low, load_high = (_LOAD, 0, 0, low_at), (_LOAD, 0, 0, low_at + 4)
    match condition.operator:
        case "EQ":
            body = [load_high, (_JEQ, 0, _FAIL, high), load_low, (_JEQ, 0, _FAIL, low)]
        case "NE":
            body = [load_high, (_JEQ, 0, _PASS, high), load_low, (_JEQ, _FAIL, 0, low)]
        case "MASKED_EQ":
            second_low, second_high = condition.second & 0xFFFFFFFF, condition.second >> 32
            body = [load_high, (_AND, 0, 0, high), (_JEQ, 0, _FAIL, second_high)]
            body += [load_low, (_AND, 0, 0, low), (_JEQ, 0, _FAIL, second_low)]
        case "GT" | "GE":
            last = _JGT if condition.operator == "GT" else _JGE
            body = [load_high, (_JGT, _PASS, 0, high), (_JEQ, 0, _FAIL, high), load_low, (last, 0, _FAIL, low)]
        case _:  # LT, LE: what GE and GT are not
            last = _JGE if condition.operator == "LT" else _JGT
            body = [load_high, (_JGT, _FAIL, 0, high), (_JEQ, 0, _PASS, high), load_low, (last, _FAIL, 0, low)]
    return _replace(body, _PASS, lambda index: len(body) - index - 1)


def _resolve(body: list[Instruction]) -> list[Instruction]:
    """Let failing tests jump behind the body's return."""
    return _replace(body, _FAIL, lambda index: len(body) - index - 1)


def _replace(body: list[Instruction], mark: int, distance: Callable[[int], int]) -> list[Instruction]:
    return [
        (code, distance(index) if yes == mark else yes, distance(index) if no == mark else no, value)
        for index, (code, yes, no, value) in enumerate(body)
    ]
