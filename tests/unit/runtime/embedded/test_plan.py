"""What the CRI leaves to the runtime."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest
from tests.contract.runtime_harness import BusyboxImage

from proa.runtime.embedded import plan
from proa.runtime.embedded.spec import ContainerSpec
from proa.runtime.protocol import (
    ContainerConfig,
    Device,
    Mount,
    NamespaceMode,
    RuntimeFault,
    SandboxConfig,
    SecurityContext,
)

SANDBOX = SandboxConfig("pod", "ns", "uid-1", hostname="host", log_directory=Path("/logs"), qos="Burstable")
IMAGE = BusyboxImage(
    (Path("/top"), Path("/bottom")), entrypoint=("/entry",), cmd=("cmd",), user="app", stop_signal="SIGQUIT"
)


def planned(sandbox: SandboxConfig = SANDBOX, image: BusyboxImage = IMAGE, **changes: object) -> ContainerSpec:
    config = ContainerConfig("main", "image", **{"log_path": "main/0.log", **changes})  # type: ignore[arg-type]
    spec = plan.plan_sandbox("sandbox", sandbox, Path("/state/sandbox"), "proa/main")
    return plan.plan_container("container", config, sandbox, spec, image, b"")


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ((), (), ["/entry", "cmd"]),
        ((), ("a",), ["/entry", "a"]),
        (("/mine",), (), ["/mine"]),
        (("/mine",), ("a",), ["/mine", "a"]),
    ],
)
def test_command_and_args_replace_entrypoint_and_cmd(
    command: tuple[str, ...], args: tuple[str, ...], expected: list[str]
) -> None:
    assert planned(command=command, args=args)["process"]["args"] == expected


def test_no_command_at_all_is_refused() -> None:
    with pytest.raises(RuntimeFault, match="no command specified") as caught:
        planned(image=BusyboxImage((), cmd=()))
    assert caught.value.reason == "CreateContainerConfigError"


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        (SecurityContext(), "app"),
        (SecurityContext(user=5), "5"),
        (SecurityContext(user=5, group=6), "5:6"),
        (SecurityContext(username="web"), "web"),
        (SecurityContext(group=6), "app:6"),
    ],
)
def test_the_user_is_the_pod_s_or_the_image_s(security: SecurityContext, expected: str) -> None:
    assert planned(security=security)["process"]["user"] == expected


def test_the_container_s_environment_wins_over_the_image_s() -> None:
    env = dict(planned(env=(("FROM_IMAGE", "no"), ("X", "1")))["process"]["env"])
    assert env == {"FROM_IMAGE": "no", "X": "1", "HOSTNAME": "host"}


def test_groups_lie_below_the_cluster_by_quality_of_service_or_where_the_kubelet_says() -> None:
    assert planned()["cgroup"] == "proa/main/burstable/poduid-1/container"
    guaranteed = dataclasses.replace(SANDBOX, qos="Guaranteed")
    assert planned(guaranteed)["cgroup"] == "proa/main/poduid-1/container"
    chosen = dataclasses.replace(SANDBOX, cgroup_parent="/kubepods/x")
    assert planned(chosen)["cgroup"] == "proa/main/kubepods/x/container"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", signal.SIGQUIT), ("TERM", 15), ("SIGUSR1", 10), ("9", 9), ("SIGRTMIN+3", signal.SIGRTMIN + 3)],
)
def test_stop_signals_have_names_and_numbers(name: str, expected: int) -> None:
    assert planned(stop_signal=name)["stop_signal"] == expected


def test_an_unknown_stop_signal_is_refused() -> None:
    with pytest.raises(RuntimeFault, match="unknown stop signal 'SIGFLY'"):
        planned(stop_signal="SIGFLY")


def test_the_log_lies_in_the_pod_s_directory() -> None:
    assert planned()["log"] == "/logs/main/0.log"
    assert planned(log_path="")["log"] == ""


def test_the_host_name_is_a_file_too_unless_the_pod_brings_one() -> None:
    assert [item["target"] for item in planned()["mounts"]] == ["/etc/hostname"]
    own = (Mount(Path("/x"), "/etc/hostname"),)
    assert [item["source"] for item in planned(mounts=own)["mounts"]] == ["/x"]
    assert planned(dataclasses.replace(SANDBOX, network=NamespaceMode.NODE))["mounts"] == []


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (Mount(Path("/x"), "/data", propagation="Shared"), r"mounts\[0\].propagation: unknown value 'Shared'"),
        (Mount(Path("/x"), "//"), r"mounts\[0\].container_path: must not be the root"),
    ],
)
def test_a_wrong_mount_is_refused_with_its_field(mount: Mount, message: str) -> None:
    with pytest.raises(RuntimeFault, match=message):
        planned(mounts=(mount,))


def test_devices_are_looked_up_and_allowed() -> None:
    spec = planned(devices=(Device(Path("/dev/null"), "/dev/mine", "r"),))
    assert [(item["path"], item["kind"], item["major"], item["minor"]) for item in spec["devices"]] == [
        ("/dev/mine", "c", 1, 3)
    ]
    assert spec["device_rules"][-1] == "c 1:3 r"
    with pytest.raises(RuntimeFault, match="device /etc/passwd: not a device node"):
        planned(devices=(Device(Path("/etc/passwd"), "/x"),))


def test_a_pid_namespace_that_the_sandbox_does_not_have_is_refused() -> None:
    with pytest.raises(RuntimeFault, match=r"set SandboxConfig\.pid"):
        planned(security=SecurityContext(pid=NamespaceMode.POD))
    shared = dataclasses.replace(SANDBOX, pid=NamespaceMode.POD)
    assert planned(shared)["pid"] == "pod"
    assert planned(shared, security=SecurityContext(target_container="other"))["pid"] == "other"
