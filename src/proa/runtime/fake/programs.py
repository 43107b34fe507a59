"""Simulated programs: the few commands that pods in examples and tests run, understood well enough to be plausible.

`echo`, `true`, `false`, `sleep`, `cat`, `nc -l -p PORT -e cat`, and `sh -c` with these, `exit N`, `trap` for TERM,
`>&2`, `;`, `&&`, `& wait` and newlines. What is not understood is `None`: a server, running until it is stopped. Pure.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class CopyInput:
    """Copy stdin to stdout until its end."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Answer connections to the port with what they send, for ever."""

    port: int


Step = Output | Sleep | CopyInput | Listen


@dataclass(frozen=True, slots=True)
class Program:
    """`on_term`: the exit code when SIGTERM comes; None: it is ignored, as by pid 1 without a handler."""

    steps: tuple[Step, ...] = ()
    code: int = 0
    on_term: int | None = None


def understand(arguments: Sequence[str]) -> Program | None:
    """The program a command line means, None when it is not one of ours."""
    name, *rest = arguments
    base = name.rpartition("/")[2]
    if base in ("sh", "bash", "ash") and len(rest) >= 2 and rest[0] in ("-c", "-ec", "-exc"):
        return _shell(rest[1])
    return _simple([base, *rest])


def _simple(words: Sequence[str]) -> Program | None:
    match list(words):
        case ["true" | ":" | "wait"]:
            return Program()
        case ["false"]:
            return Program(code=1)
        case ["echo", "-n", *rest]:
            return Program((Output("stdout", " ".join(rest).encode()),))
        case ["echo", *rest]:
            return Program((Output("stdout", f"{' '.join(rest)}\n".encode()),))
        case ["sleep", amount]:
            seconds = _duration(amount)
            return Program((Sleep(seconds),)) if seconds is not None else None
        case ["cat"]:
            return Program((CopyInput(),))
        case ["nc", "-l" | "-ll" | "-lk", "-p", port, "-e", "cat" | "/bin/cat"] if port.isdigit():
            return Program((Listen(int(port)),))
    return None


def _duration(text: str) -> float | None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text in ("inf", "infinity"):
        return math.inf
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        return None


def _shell(script: str) -> Program | None:
    """A script of simple commands in a row."""
    lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        return None
    steps: list[Step] = []
    code, on_term = 0, None
    words: list[str] = []
    skip = False
    for token in [*tokens, ";"]:
        if token not in (";", "&&", "&"):
            words.append(token)
            continue
        if words and not skip:
            if words[0] == "exit":
                return Program(tuple(steps), int(words[1]) if len(words) > 1 else code, on_term)
            if words[0] == "trap" and len(words) == 3 and words[2] in ("TERM", "SIGTERM", "15"):
                handler = words[1].split()
                on_term = int(handler[1]) if handler[:1] == ["exit"] and len(handler) > 1 else on_term
                on_term = 0 if handler == ["exit"] else on_term
            else:
                stderr = words[-2:] == [">&", "2"] or words[-1:] == [">&2"]
                command = words[: -(2 if words[-2:] == [">&", "2"] else 1)] if stderr else words
                part = _simple(command) if not {"|", ">", "<", "||"} & set(command) else None
                if part is None:
                    return None
                code = part.code
                steps += [Output("stderr", s.data) if stderr and isinstance(s, Output) else s for s in part.steps]
        skip = token == "&&" and (code != 0 or skip)
        words = []
    return Program(tuple(steps), code, on_term)
