"""Checks of single texts in a pod's spec: pods say the same over and over, so what was found about one is remembered,
and paths are made only where something is wrong.

Not here: which field obeys which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, FieldError, Path

Rule = Callable[[str], Sequence[str]]

_MOST_MODE = 0o777


@lru_cache(8192)
def _problems(rule: Rule, value: str) -> Sequence[str]:
    return rule(value)


def check(errors: ErrorList, rule: Rule, value: str, path: Path, *steps: str | int) -> None:
    """Report what `rule` says of `value` at `steps` below `path`."""
    problems = _problems(rule, value)
    if problems:
        check_names(errors, at(path, *steps), value, problems)


def check_given(errors: ErrorList, rule: Rule, value: str, path: Path, *steps: str | int) -> None:
    """The same of a value that may not be empty."""
    if value:
        check(errors, rule, value, path, *steps)
    else:
        errors.required(at(path, *steps))


def at(path: Path, *steps: str | int) -> Path:
    """The place below `path` that names of fields and positions in lists lead to."""
    for step in steps:
        path = path.index(step) if isinstance(step, int) else path.child(step)
    return path


def report(errors: ErrorList, path: Path, found: Iterable[FieldError]) -> None:
    """Add what was found, and is remembered, of something that is at `path` here: its fields are relative."""
    for each in found:
        dot = "." if each.field and not each.field.startswith("[") else ""
        errors.add(replace(each, field=f"{path}{dot}{each.field}"))


def without_steps_back(value: str) -> list[str]:
    """A path none of whose parts is `..`."""
    return ["must not contain '..'"] if ".." in value.split("/") else []


def descending_path(value: str) -> list[str]:
    """A path below wherever it is used."""
    relative = ["must be a relative path"] if value.startswith("/") else []
    return relative + without_steps_back(value)


def file_path(value: str) -> list[str]:
    """The path of a file in a volume that the kubelet writes, which keeps names with two dots to itself."""
    reserved = value.startswith("..") and not value.startswith("../")
    return descending_path(value) + (["must not start with '..'"] if reserved else [])


def check_mode(errors: ErrorList, mode: int | None, path: Path) -> None:
    """The permissions of a file."""
    if mode is not None and not 0 <= mode <= _MOST_MODE:
        errors.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")
