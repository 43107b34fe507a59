"""The documents the agent writes and the small processes read: what to make, in plain JSON types.

`plan` fills them from the protocol's types; a shim takes them as they are. Declarations only, imported by a shim's
modules for type checking alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from proa.linux.cgroups import Limits


class ProcessSpec(TypedDict):
    """One process in a container, its init or an exec'd one."""

    args: list[str]
    env: list[list[str]]
    cwd: str
    user: str
    """'uid', 'uid:gid', 'name' or 'name:group', looked up in the container's own /etc/passwd and /etc/group."""
    groups: list[int]
    capabilities: int
    """The mask of the bounding, permitted and effective sets."""
    no_new_privileges: bool
    seccomp: str
    """A filter program in base64; empty: unconfined."""
    oom_score_adj: int
    rlimits: list[list[int]]
    """[resource, soft, hard]."""
    tty: bool


class MountSpec(TypedDict):
    source: str
    target: str
    sub_path: str
    readonly: bool
    recursive_readonly: bool
    propagation: str


class DeviceSpec(TypedDict):
    path: str
    kind: str
    """'c' or 'b'."""
    major: int
    minor: int
    mode: int
    uid: int
    gid: int


class ContainerSpec(TypedDict):
    id: str
    process: ProcessSpec
    lowerdirs: list[str]
    """Topmost first."""
    readonly_rootfs: bool
    mounts: list[MountSpec]
    devices: list[DeviceSpec]
    device_rules: list[str]
    masked_paths: list[str]
    readonly_paths: list[str]
    privileged: bool
    cgroup: str
    limits: Limits
    pid: str
    """'container', 'pod', 'node', or the id of the container whose namespace to join."""
    stdin: bool
    stdin_once: bool
    log: str
    stop_signal: int


class SandboxSpec(TypedDict):
    id: str
    directory: str
    hostname: str
    network: str
    ipc: str
    pid: str
    """'pod', 'container' or 'node', as are network and ipc."""
    sysctls: dict[str, str]
    cgroup: str
    limits: Limits
    shim_cgroup: str


class StatusRecord(TypedDict, total=False):
    """status.json of a container: what the shim knows, kept for an agent that was not there. Times: epoch seconds."""

    id: str
    state: str
    pid: int
    created_at: float
    started_at: float
    finished_at: float
    exit_code: int
    signal: int
    reason: str
    message: str
