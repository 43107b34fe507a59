"""The two cgroup hierarchies, on directories that look like them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from proa.linux.cgroups import detect, devices
from proa.linux.cgroups.v1 import V1
from proa.linux.cgroups.v2 import V2, weight

V2_LINE = "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw"


def v1_line(name: str) -> str:
    return f"31 1 0:27 / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}"


def test_a_unified_hierarchy_is_taken_when_it_has_the_controllers() -> None:
    assert isinstance(detect([V2_LINE]), V2)
    assert isinstance(detect([V2_LINE, *map(v1_line, ("cpu", "memory", "pids"))]), V1)


def test_a_machine_without_the_controllers_is_refused_by_name() -> None:
    with pytest.raises(OSError, match="controllers memory, pids"):
        detect([v1_line("cpu")])


@pytest.mark.parametrize(("shares", "expected"), [(0, 1), (2, 1), (1024, 100), (262_144, 10_000), (10**9, 10_000)])
def test_shares_become_weight(shares: int, expected: int) -> None:
    assert weight(shares) == expected


def test_weight_grows_with_shares() -> None:
    found = [weight(shares) for shares in range(2, 262_144, 97)]
    assert found == sorted(found)


def test_v2_limits_are_written_and_controllers_enabled_on_the_way(tmp_path: Path) -> None:
    group = tmp_path / "proa/pod"
    group.mkdir(parents=True)
    for directory in (tmp_path, tmp_path / "proa"):
        (directory / "cgroup.controllers").write_text("cpu io memory pids\n")
        (directory / "cgroup.subtree_control").write_text("")
    names = ("cpu.weight", "cpu.max", "memory.max", "memory.oom.group", "pids.max")
    for name in names:
        (group / name).touch()
    V2(str(tmp_path)).create(
        "proa/pod", {"cpu_shares": 1024, "cpu_quota": 50_000, "memory_limit": 1 << 20, "pids_limit": -1}
    )
    assert [(group / name).read_text() for name in names] == ["100", "50000 100000", "1048576", "1", "max"]
    assert (tmp_path / "proa/cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_v2_usage_is_read(tmp_path: Path) -> None:
    (tmp_path / "memory.stat").write_text("anon 4096\nfile 100\ninactive_file 1000\n")
    (tmp_path / "memory.current").write_text("9000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 12\nuser_usec 1\n")
    assert V2(str(tmp_path.parent)).usage(tmp_path.name) == {
        "cpu_nanoseconds": 12_000,
        "memory_working_set": 8000,
        "memory_rss": 4096,
    }


def test_a_limit_of_an_absent_controller_is_an_error(tmp_path: Path) -> None:
    tree = V1({name: str(tmp_path) for name in ("cpu", "memory", "pids")})
    with pytest.raises(OSError, match="needs the hugetlb controller"):
        tree.update("", {"hugepages": {"2MB": 1}})


def allowed(rules: list[str], kind: str, major: int, minor: int, access: str) -> bool:
    """Run the device program as the kernel would."""
    code = devices.compile_rules(rules)
    mask = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    context = struct.pack("=III", {"b": 1, "c": 2}[kind] | mask << 16, major, minor)
    registers = [0] * 11
    position = 0
    while True:
        opcode, pair, offset, value = struct.unpack_from("=BBhi", code, position * 8)
        to, source = pair & 15, pair >> 4
        position += 1
        match opcode:
            case 0x61:
                (registers[to],) = struct.unpack_from("=I", context, offset)
            case 0xB4:
                registers[to] = value
            case 0xBC:
                registers[to] = registers[source]
            case 0x54:
                registers[to] &= value
            case 0x74:
                registers[to] >>= value
            case 0x56:
                position += offset if registers[to] != value else 0
            case 0x95:
                return registers[0] == 1
            case _:
                raise AssertionError(f"opcode {opcode:#x}")


def test_the_device_program_grants_what_the_rules_say() -> None:
    rules = ["c *:* m", "c 1:3 rwm", "c 136:* rw", "b 8:0 r"]
    assert allowed(rules, "c", 1, 3, "rw")
    assert allowed(rules, "c", 136, 77, "w")
    assert allowed(rules, "c", 9, 9, "m")
    assert allowed(rules, "b", 8, 0, "r")
    assert not allowed(rules, "b", 8, 0, "rw")
    assert not allowed(rules, "b", 8, 0, "m")
    assert not allowed(rules, "c", 1, 4, "r")
    assert not allowed([], "c", 1, 3, "r")
