"""The order of API versions: which of `v2`, `v1`, `v1beta2`, `v1alpha1` and oddly named ones a client should prefer."""

from __future__ import annotations

import re

_KUBE = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", re.ASCII)
_STABILITY = {None: 0, "beta": 1, "alpha": 2}


def priority(version: str) -> tuple[int, int, int, int, str]:
    """A sort key, the best first: stable before beta before alpha, newer before older, then all others by name."""
    found = _KUBE.fullmatch(version)
    if found is None:
        return 1, 0, 0, 0, version
    major, stability, minor = found.groups()
    return 0, _STABILITY[stability], -int(major), -int(minor or 0), ""
