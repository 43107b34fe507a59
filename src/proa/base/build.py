"""Which program this is: the version it has and the Kubernetes version it speaks."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import cache

VERSION = "0.1.0"
"""The version of the proa package: said here, because a checkout that is not installed has no metadata."""

KUBERNETES_MAJOR = "1"
KUBERNETES_MINOR = "36"
KUBERNETES_VERSION = f"v{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}.2"
"""The release whose API and behaviour are followed."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """This machine's architecture as Kubernetes and OCI name it (`kubernetes.io/arch`): amd64, arm64, ..."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True, slots=True)
class Build:
    """What /version and a node's status say about this program. `git_version`: Kubernetes version+proa.version."""

    major: str
    minor: str
    git_version: str
    platform: str
    python: str


@cache
def build() -> Build:
    return Build(
        major=KUBERNETES_MAJOR,
        minor=KUBERNETES_MINOR,
        git_version=f"{KUBERNETES_VERSION}+proa.{VERSION}",
        platform=f"{sys.platform}/{architecture()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )
