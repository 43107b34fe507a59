"""The device filter of cgroup v2: a small eBPF program attached to the group (kernel: BPF_PROG_TYPE_CGROUP_DEVICE).

cgroup v1 has a controller for this, v2 has none. The program compares type, access, major and minor with each rule.
"""

from __future__ import annotations

import errno
import os
import platform
import struct

from proa.linux.libc import address, pack, syscall

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _PROG_ATTACH = 5, 8
_PROG_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE = 15, 6
_ALLOW_MULTI = 2
_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}

# opcodes: classes and modes of the eBPF instruction set (RFC 9669)
_LOAD_WORD, _MOVE, _MOVE_REG, _AND, _SHIFT_RIGHT = 0x61, 0xB4, 0xBC, 0x54, 0x74
_JUMP_NOT_EQUAL, _EXIT = 0x56, 0x95


def _instruction(opcode: int, to: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, source << 4 | to, offset, value)


def compile_rules(rules: list[str]) -> bytes:
    """The program for rules '<c|b> <major|*>:<minor|*> <rwm>'.

    Registers: r1 the context, r2 kind, r3 access, r4 major, r5 minor.
    """
    code = [
        _instruction(_LOAD_WORD, 2, 1, 0),
        _instruction(_MOVE_REG, 3, 2),
        _instruction(_AND, 2, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, 3, value=16),
        _instruction(_LOAD_WORD, 4, 1, 4),
        _instruction(_LOAD_WORD, 5, 1, 8),
    ]
    for rule in rules:
        kind, numbers, letters = rule.split()
        major, _, minor = numbers.partition(":")
        refused = 7 & ~sum(_ACCESS[letter] for letter in set(letters))
        tests: list[list[bytes]] = [[_instruction(_JUMP_NOT_EQUAL, 2, value=_KINDS[kind])]]
        if refused:  # any access bit the rule does not grant: next rule
            tests.append(
                [
                    _instruction(_MOVE_REG, 6, 3),
                    _instruction(_AND, 6, value=refused),
                    _instruction(_JUMP_NOT_EQUAL, 6, value=0),
                ]
            )
        if major != "*":
            tests.append([_instruction(_JUMP_NOT_EQUAL, 4, value=int(major))])
        if minor != "*":
            tests.append([_instruction(_JUMP_NOT_EQUAL, 5, value=int(minor))])
        block = [item for test in tests for item in test]
        end = len(block) + 2  # after "allow"
        for index, item in enumerate(block):
            if item[0] == _JUMP_NOT_EQUAL:
                block[index] = item[:2] + struct.pack("=h", end - index - 1) + item[4:]
        code += [*block, _instruction(_MOVE, 0, value=1), _instruction(_EXIT)]
    return b"".join([*code, _instruction(_MOVE, 0, value=0), _instruction(_EXIT)])


def attach(directory: str, rules: list[str]) -> None:
    """Load the program and attach it to the group; it goes with the group."""
    number = _SYS_BPF.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"no device filter for machine {platform.machine()}")
    code = pack(compile_rules(rules))
    licence = pack(b"Apache-2.0\0")
    attributes = pack(
        struct.pack("=IIQQ", _PROG_TYPE_CGROUP_DEVICE, len(code) // 8, address(code), address(licence)) + bytes(96)
    )
    program = syscall(number, "bpf(PROG_LOAD)", _PROG_LOAD, address(attributes), len(attributes))
    try:
        group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            target = pack(struct.pack("=IIII", group, program, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI) + bytes(16))
            syscall(number, "bpf(PROG_ATTACH)", _PROG_ATTACH, address(target), len(target), path=directory)
        finally:
            os.close(group)
    finally:
        os.close(program)
