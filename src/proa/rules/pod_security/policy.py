"""What a namespace asks for: a level and a version of the standards, each to enforce, to audit and to warn of.

A label that makes no sense enforces the strictest and audits and warns of nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LATEST = "latest"
MODES = ("enforce", "audit", "warn")
PREFIX = "pod-security.kubernetes.io/"
LABELS = frozenset(PREFIX + mode + what for mode in MODES for what in ("", "-version"))

_STRICTNESS = (PRIVILEGED, BASELINE, RESTRICTED)
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")
LEVEL_ERROR = f"must be one of {', '.join(_STRICTNESS)}"
VERSION_ERROR = 'must be "latest" or "v1.x"'


class Level(NamedTuple):
    """A level of a version of the standards. version: `latest`, or `v1.N`."""

    name: str = PRIVILEGED
    version: str = LATEST

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    def is_stricter_than(self, other: Level) -> bool:
        return _STRICTNESS.index(self.name) > _STRICTNESS.index(other.name)

    def is_like(self, other: Level) -> bool:
        return self == other or self.name == other.name == PRIVILEGED


class LabelError(NamedTuple):
    """A label whose value makes no sense."""

    label: str
    value: str
    why: str


class Policy(msgspec.Struct, frozen=True):
    enforce: Level = msgspec.field(default_factory=Level)
    audit: Level = msgspec.field(default_factory=Level)
    warn: Level = msgspec.field(default_factory=Level)

    @property
    def is_fully_privileged(self) -> bool:
        return self.enforce.name == self.audit.name == self.warn.name == PRIVILEGED

    def is_like(self, other: Policy) -> bool:
        pairs = ((self.enforce, other.enforce), (self.audit, other.audit), (self.warn, other.warn))
        return all(mine.is_like(others) for mine, others in pairs)


def level_of(text: str) -> str | None:
    """The level a text names; None when there is none."""
    return text if text in _STRICTNESS else None


def version_of(text: str) -> str | None:
    """The version a text names; None when it is none."""
    return text if text == LATEST or _VERSION.fullmatch(text) else None


def policy_of(labels: Mapping[str, str], defaults: Policy) -> tuple[Policy, tuple[LabelError, ...]]:
    """What the labels of a namespace ask for, over the defaults; and which of them make no sense."""
    if LABELS.isdisjoint(labels):
        return defaults, ()
    levels: dict[str, Level] = {"enforce": defaults.enforce, "audit": defaults.audit, "warn": defaults.warn}
    errors: list[LabelError] = []
    for mode in MODES:
        label = PREFIX + mode
        if label in labels:
            name = level_of(labels[label])
            if name is None:
                errors.append(LabelError(label, labels[label], LEVEL_ERROR))
                name = RESTRICTED if mode == "enforce" else PRIVILEGED
            levels[mode] = levels[mode]._replace(name=name)
        label += "-version"
        if label in labels:
            version = version_of(labels[label])
            if version is None:
                errors.append(LabelError(label, labels[label], VERSION_ERROR))
                version = LATEST
            levels[mode] = levels[mode]._replace(version=version)
    enforced = level_of(labels.get(PREFIX + "enforce", "")) is not None
    if enforced and PREFIX + "warn" not in labels and levels["enforce"].is_stricter_than(levels["warn"]):
        # What is enforced of pods is warned of where only a template says it.
        levels["warn"] = levels["warn"]._replace(name=levels["enforce"].name)
        if PREFIX + "warn-version" not in labels:
            levels["warn"] = levels["enforce"]
    return replace(defaults, **levels), tuple(errors)
