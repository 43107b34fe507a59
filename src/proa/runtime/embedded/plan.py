"""From the protocol's types to the documents of `spec`: what the CRI leaves to the runtime is decided here.

Pure but for looking at host devices; raises RuntimeFault for a configuration that can not be carried out.
"""

from __future__ import annotations

import base64
import os
import resource
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from proa.linux import capabilities
from proa.runtime.embedded.collaborators import ResolvedImage
from proa.runtime.embedded.rootfs import DEVICE_RULES
from proa.runtime.embedded.spec import ContainerSpec, DeviceSpec, MountSpec, ProcessSpec, SandboxSpec
from proa.runtime.protocol import (
    ContainerConfig,
    LinuxResources,
    NamespaceMode,
    RuntimeFault,
    SandboxConfig,
    SecurityContext,
)

if TYPE_CHECKING:
    from proa.linux.cgroups import Limits

MASKED_PATHS = (
    *("/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
    *("/sys/devices/virtual/powercap",),
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""The pod API's default for procMount: Default."""

_INVALID = "CreateContainerConfigError"


def plan_sandbox(sandbox_id: str, config: SandboxConfig, directory: Path, cluster_cgroup: str) -> SandboxSpec:
    parent = config.cgroup_parent.strip("/")
    if not parent:
        qos = "" if config.qos == "Guaranteed" else f"{config.qos.lower()}/"
        parent = f"{qos}pod{config.uid}"
    return {
        "id": sandbox_id,
        "directory": str(directory),
        "hostname": config.hostname,
        "network": config.network.value,
        "ipc": config.ipc.value,
        "pid": config.pid.value,
        "sysctls": dict(config.sysctls),
        "cgroup": f"{cluster_cgroup}/{parent}",
        "limits": {
            "cpu_shares": config.cpu_shares,
            "cpu_quota": config.cpu_quota,
            "memory_limit": config.memory_limit,
        },
        "shim_cgroup": f"{cluster_cgroup}/shims",
    }


def plan_container(
    container_id: str, config: ContainerConfig, sandbox: SandboxConfig, sandbox_spec: SandboxSpec,
    image: ResolvedImage, seccomp: bytes,
) -> ContainerSpec:  # fmt: skip
    security = config.security
    extra = [_plan_device(str(item.host_path), item.container_path) for item in config.devices]
    rules = [
        f"{device['kind']} {device['major']}:{device['minor']} {item.permissions}"
        for device, item in zip(extra, config.devices, strict=True)
    ]
    log = sandbox.log_directory / config.log_path if sandbox.log_directory and config.log_path else None
    masked = MASKED_PATHS if security.masked_paths is None else security.masked_paths
    readonly = READONLY_PATHS if security.readonly_paths is None else security.readonly_paths
    mounts = [_plan_mount(config, index) for index in range(len(config.mounts))]
    if sandbox_spec["network"] != "node" and not any(item["target"] == "/etc/hostname" for item in mounts):
        mounts.append(_bind(f"{sandbox_spec['directory']}/hostname", "/etc/hostname"))
    return {
        "id": container_id,
        "process": plan_process(config, sandbox, image, seccomp),
        "lowerdirs": [str(item) for item in image.lowerdirs],
        "readonly_rootfs": security.readonly_rootfs,
        "mounts": mounts,
        "devices": extra + (_host_devices() if security.privileged else []),
        "device_rules": [*DEVICE_RULES, *rules],
        "masked_paths": list(masked),
        "readonly_paths": list(readonly),
        "privileged": security.privileged,
        "cgroup": f"{sandbox_spec['cgroup']}/{container_id}",
        "limits": plan_limits(config.resources),
        "pid": _plan_pid(security, sandbox),
        "stdin": config.stdin,
        "stdin_once": config.stdin_once,
        "log": str(log) if log else "",
        "stop_signal": _signal_number(config.stop_signal or image.stop_signal or "SIGTERM"),
    }


def plan_process(config: ContainerConfig, sandbox: SandboxConfig, image: ResolvedImage, seccomp: bytes) -> ProcessSpec:
    security = config.security
    if config.command:
        args = [*config.command, *config.args]
    else:
        args = [*image.entrypoint, *(config.args or image.cmd)]
    if not args:
        raise RuntimeFault(f"no command specified: neither container {config.name} nor its image has one", _INVALID)
    try:
        granted = capabilities.compute(
            security.add_capabilities, security.drop_capabilities, privileged=security.privileged
        )
    except ValueError as error:
        raise RuntimeFault(str(error), _INVALID) from error
    env = dict(image.env)
    if sandbox.hostname and sandbox.network is not NamespaceMode.NODE:
        env["HOSTNAME"] = sandbox.hostname
    env |= dict(config.env)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return {
        "args": args,
        "env": [[name, value] for name, value in env.items()],
        "cwd": config.working_dir or image.working_dir or "/",
        "user": _plan_user(security, image.user),
        "groups": list(security.supplemental_groups),
        "capabilities": capabilities.to_mask(granted) & capabilities.permitted(),
        "no_new_privileges": security.no_new_privileges,
        "seccomp": base64.b64encode(seccomp).decode(),
        "oom_score_adj": config.resources.oom_score_adj or 0,
        "rlimits": [[resource.RLIMIT_NOFILE, min(files, 1 << 20), min(files, 1 << 20)]],
        "tty": config.tty,
    }


def plan_limits(resources: LinuxResources) -> Limits:
    return {
        "cpu_shares": resources.cpu_shares,
        "cpu_quota": resources.cpu_quota,
        "cpu_period": resources.cpu_period,
        "memory_limit": resources.memory_limit,
        "pids_limit": resources.pids_limit,
        "hugepages": dict(resources.hugepages),
    }


def _plan_user(security: SecurityContext, image_user: str) -> str:
    """'user[:group]'. A group needs a user (as the CRI demands); the image's is taken when only the group is given."""
    if security.user is not None or security.username:
        user = str(security.user) if security.user is not None else security.username
        return user if security.group is None else f"{user}:{security.group}"
    if security.group is not None:
        return f"{image_user.partition(':')[0] or '0'}:{security.group}"
    return image_user or "0"


def _plan_pid(security: SecurityContext, sandbox: SandboxConfig) -> str:
    if security.target_container:
        return security.target_container
    if sandbox.pid is not NamespaceMode.CONTAINER:
        return str(sandbox.pid.value)
    if security.pid is not NamespaceMode.CONTAINER:
        raise RuntimeFault(
            f"a container with pid namespace mode {security.pid.value} in a sandbox without one: set SandboxConfig.pid",
            _INVALID,
        )
    return "container"


def _plan_mount(config: ContainerConfig, index: int) -> MountSpec:
    item = config.mounts[index]
    where = f"container {config.name}: mounts[{index}]"
    if item.propagation not in ("None", "HostToContainer", "Bidirectional"):
        raise RuntimeFault(
            f"{where}.propagation: unknown value {item.propagation!r}: use None, HostToContainer or Bidirectional",
            _INVALID,
        )
    target = os.path.normpath(f"/{item.container_path.lstrip('/')}")
    if target == "/":
        raise RuntimeFault(f"{where}.container_path: must not be the root directory", _INVALID)
    return {
        "source": str(item.host_path),
        "target": target,
        "sub_path": item.sub_path,
        "readonly": item.readonly,
        "recursive_readonly": item.recursive_readonly,
        "propagation": item.propagation,
    }


def _bind(source: str, target: str) -> MountSpec:
    return {
        "source": source,
        "target": target,
        "sub_path": "",
        "readonly": False,
        "recursive_readonly": False,
        "propagation": "None",
    }


def _plan_device(source: str, target: str) -> DeviceSpec:
    try:
        found = os.stat(source)
    except OSError as error:
        raise RuntimeFault(f"device {source}: {error.strerror}", _INVALID) from error
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        raise RuntimeFault(f"device {source}: not a device node", _INVALID)
    return {
        "path": target,
        "kind": "b" if stat.S_ISBLK(found.st_mode) else "c",
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def _host_devices() -> list[DeviceSpec]:
    """Every device node of the host's /dev, for a privileged container; terminals of the host stay out."""
    found: list[DeviceSpec] = []
    for directory, names, files in os.walk("/dev"):
        if directory == "/dev":
            names[:] = [name for name in names if name not in ("pts", "shm", "mqueue", "fd")]
        for name in files:
            path = f"{directory}/{name}"
            mode = os.lstat(path).st_mode
            if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and path not in ("/dev/console", "/dev/ptmx"):
                found.append(_plan_device(path, path))
    return found


def _signal_number(name: str) -> int:
    """'SIGTERM', 'TERM', '15' or 'SIGRTMIN+3' (the last is what systemd images say)."""
    text = name.upper().removeprefix("SIG")
    if text.isdigit() and 0 < int(text) <= signal.SIGRTMAX:
        return int(text)
    base, _, plus = text.partition("+")
    if base == "RTMIN" and (not plus or plus.isdigit()):
        return signal.SIGRTMIN + int(plus or 0)
    try:
        return signal.Signals[f"SIG{text}"].value
    except KeyError:
        raise RuntimeFault(f"unknown stop signal {name!r}: use a name of signal(7) such as SIGTERM", _INVALID) from None
