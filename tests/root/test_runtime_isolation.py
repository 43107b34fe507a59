"""What a container of the embedded runtime is inside: its identity, its file system, its limits, its neighbours."""

# ruff: noqa: ASYNC240 - a test may wait for the disk
from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.runtime_harness import Harness, config, embedded

from proa.runtime.protocol import (
    Device,
    LinuxResources,
    Mount,
    NamespaceMode,
    RuntimeFault,
    SecurityContext,
)

pytestmark = pytest.mark.root


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with embedded(tmp_path, seccomp_directory=tmp_path / "profiles") as made:
        yield made


async def shell(harness: Harness, script: str, **changes: object) -> list[str]:
    """What a container that runs `script` prints; it must succeed."""
    status, lines = await harness.result("sh", "-c", script, **changes)
    assert status.exit_code == 0, (status.message, lines)
    return [line for stream, _, line in lines if stream == "stdout"]


async def fails(harness: Harness, script: str, **changes: object) -> str:
    """What a script that must fail says on stderr."""
    status, lines = await harness.result("sh", "-c", script, **changes)
    assert status.exit_code != 0, lines
    return "\n".join(line for stream, _, line in lines if stream == "stderr")


def secured(**changes: object) -> SecurityContext:
    return SecurityContext(**changes)  # type: ignore[arg-type]


async def test_processes_get_environment_home_and_path(harness: Harness) -> None:
    script = "echo $FROM_IMAGE $MINE $HOME $HOSTNAME; echo $PATH"
    lines = await shell(harness, script, env=(("MINE", "a b"),))
    assert lines == ["yes a b /root pod", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


async def test_a_missing_working_directory_is_made(harness: Harness) -> None:
    assert await shell(harness, "pwd", working_dir="/not/there/yet") == ["/not/there/yet"]


async def test_a_user_of_the_image_brings_its_groups_and_home(harness: Harness) -> None:
    lines = await shell(harness, "id -u; id -g; id -G; echo $HOME", security=secured(username="web"))
    assert lines == ["1000", "1001", "1001 2000", "/home/web"]


async def test_numeric_user_group_and_supplementary_groups(harness: Harness) -> None:
    security = secured(user=4242, group=4343, supplemental_groups=(77, 78))
    assert await shell(harness, "id -u; id -g; id -G", security=security) == ["4242", "4343", "4343 77 78"]


async def test_an_unknown_user_is_a_start_error(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    with pytest.raises(RuntimeFault, match="unable to find user ghost: no matching entries in passwd file"):
        await harness.run(sandbox, "true", security=secured(username="ghost"))


async def test_root_has_the_default_capabilities_only(harness: Harness) -> None:
    lines = await shell(harness, "while read k v; do case $k in Cap*) echo $k $v;; esac; done </proc/self/status")
    masks = dict(line.split() for line in lines)
    assert masks["CapEff:"] == masks["CapPrm:"] == masks["CapBnd:"] == "00000000a80425fb"
    assert masks["CapInh:"] == masks["CapAmb:"] == "0000000000000000"


async def test_capabilities_are_added_and_dropped(harness: Harness) -> None:
    script = "while read k v; do case $k in CapEff:) echo $v;; esac; done </proc/self/status"
    none = await shell(harness, script, security=secured(drop_capabilities=("ALL",)))
    assert none == ["0000000000000000"]
    security = secured(drop_capabilities=("all",), add_capabilities=("CAP_NET_ADMIN", "chown"))
    assert await shell(harness, script, security=security) == ["0000000000001001"]


async def test_another_user_has_no_capabilities(harness: Harness) -> None:
    script = "while read k v; do case $k in CapEff:) echo $v;; esac; done </proc/self/status"
    assert await shell(harness, script, security=secured(user=1000)) == ["0000000000000000"]


async def test_an_unknown_capability_is_refused_by_name(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    with pytest.raises(RuntimeFault, match="unknown capability 'FLY'"):
        await harness.run(sandbox, "true", security=secured(add_capabilities=("FLY",)))


async def test_no_new_privileges_and_the_seccomp_filter_are_in_force(harness: Harness) -> None:
    script = "while read k v; do case $k in NoNewPrivs:|Seccomp:) echo $k $v;; esac; done </proc/self/status"
    assert await shell(harness, script) == ["NoNewPrivs: 0", "Seccomp: 2"]
    strict = secured(no_new_privileges=True, user=1000)
    assert await shell(harness, script, security=strict) == ["NoNewPrivs: 1", "Seccomp: 2"]
    assert await shell(harness, script, security=secured(seccomp="Unconfined")) == ["NoNewPrivs: 0", "Seccomp: 0"]


async def test_mounting_is_not_permitted(harness: Harness) -> None:
    assert "ermission denied" in await fails(harness, "mount -t tmpfs none /tmp")


async def test_a_localhost_profile_is_enforced(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    }
    (tmp_path / "profiles/no-mkdir.json").write_text(json.dumps(profile))
    security = secured(seccomp="localhost/no-mkdir.json")
    sandbox = await harness.sandbox()
    container_id = await harness.run(sandbox, "sleep", "100", security=security)
    code, _, stderr = await harness.runtime.exec_sync(container_id, ["sh", "-c", "touch /ok && busybox mkdir /no"], 10)
    assert code != 0
    assert b"not supported" in stderr
    with pytest.raises(RuntimeFault, match="No such file"):
        await harness.run(sandbox, "true", security=secured(seccomp="localhost/missing.json"))


async def test_kernel_paths_are_masked_and_read_only(harness: Harness) -> None:
    assert await shell(harness, "wc -c </proc/keys; ls /sys/firmware | wc -l") == ["0", "0"]
    assert "ead-only" in await fails(harness, "echo 1 >/proc/sys/kernel/hostname")
    assert "ead-only" in await fails(harness, "touch /sys/x")


async def test_unmasking_follows_the_given_lists(harness: Harness) -> None:
    security = secured(masked_paths=(), readonly_paths=())
    assert int((await shell(harness, "wc -c </proc/interrupts", security=security))[0]) > 0


async def test_a_read_only_root_can_not_be_written_but_its_volumes_can(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    options = {"security": secured(readonly_rootfs=True), "mounts": (Mount(tmp_path / "volume", "/data"),)}
    assert "ead-only" in await fails(harness, "echo x >/file", **options)
    await shell(harness, "echo x >/data/file; echo y >/dev/shm/file", **options)
    assert (tmp_path / "volume/file").read_text() == "x\n"


async def test_volumes_may_be_read_only_and_single_files(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    mounts = (Mount(tmp_path / "hosts", "/etc/hosts", readonly=True),)
    assert await shell(harness, "cat /etc/hosts", mounts=mounts) == ["127.0.0.1 localhost"]
    assert "ead-only" in await fails(harness, "echo x >>/etc/hosts", mounts=mounts)


async def test_nested_volumes_mount_in_the_order_of_their_depth(harness: Harness, tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    mounts = (Mount(tmp_path / "inner", "/a/b/c"), Mount(tmp_path / "outer", "/a"))
    assert await shell(harness, "ls /a; ls /a/b/c", mounts=mounts) == ["b", "outer", "inner"]


async def test_a_sub_path_is_made_and_can_not_leave_its_volume(harness: Harness, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    await shell(harness, "echo x >/data/file", mounts=(Mount(volume, "/data", sub_path="a/b"),))
    assert (volume / "a/b/file").read_text() == "x\n"
    (volume / "escape").symlink_to("/etc")
    sandbox = await harness.sandbox()
    for path in ("escape", "escape/ssl", "../.."):
        with pytest.raises(RuntimeFault, match="volume for /data"):
            await harness.run(sandbox, "true", mounts=(Mount(volume, "/data", sub_path=path),))


async def test_a_volume_s_target_stays_inside_the_root(harness: Harness, tmp_path: Path) -> None:
    """A link in the image that points outside is resolved as if the image's root were /."""
    layer = tmp_path / "busybox"
    (layer / "link").symlink_to("../../../../../../tmp/inside")
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/file").touch()
    mounts = (Mount(tmp_path / "volume", "/link/deeper"),)
    assert await shell(harness, "ls /tmp/inside/deeper", mounts=mounts) == ["file"]


async def test_a_missing_volume_source_is_named(harness: Harness, tmp_path: Path) -> None:
    sandbox = await harness.sandbox()
    with pytest.raises(RuntimeFault, match=r"volume for /data: open_tree: No such file or directory: .*/nothing"):
        await harness.run(sandbox, "true", mounts=(Mount(tmp_path / "nothing", "/data"),))


async def test_the_usual_devices_work_and_no_others(harness: Harness) -> None:
    script = (
        "echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; ls -l /dev/fd/0 >/dev/null"
    )
    assert await shell(harness, script) == ["4", "3"]
    disk = os.stat("/").st_dev
    make = f"mknod /disk b {os.major(disk)} {os.minor(disk)} && head -c 1 /disk"
    assert "not permitted" in await fails(harness, make)


async def test_a_device_given_to_the_container_works(harness: Harness) -> None:
    assert stat.S_ISCHR(os.stat("/dev/kmsg").st_mode)
    devices = (Device(Path("/dev/kmsg"), "/dev/given", "r"),)
    lines = await shell(harness, "ls -l /dev/given | head -c 1; head -c 1 /dev/given | wc -c", devices=devices)
    assert lines[0].startswith("c")


async def test_every_layer_below_is_left_as_it_is(harness: Harness, tmp_path: Path) -> None:
    await shell(harness, "echo changed >/etc/passwd; busybox rm /etc/group")
    assert (tmp_path / "busybox/etc/passwd").read_text().startswith("root:")
    assert (tmp_path / "busybox/etc/group").exists()


async def test_a_container_is_alone_in_its_pid_namespace(harness: Harness) -> None:
    lines = await shell(harness, "echo $$; ls /proc | busybox grep -c '^[0-9]'")
    assert lines[0] == "1"
    assert int(lines[1]) <= 4


async def test_containers_of_a_pod_share_network_host_name_and_memory(harness: Harness) -> None:
    sandbox = await harness.sandbox(hostname="together")
    one = await harness.run(sandbox, "sleep", "100", log_path="a.log")
    two = await harness.run(sandbox, "sleep", "100", log_path="b.log")
    await harness.runtime.exec_sync(one, ["sh", "-c", "echo shared >/dev/shm/file"], 10)
    assert (await harness.runtime.exec_sync(two, ["cat", "/dev/shm/file"], 10))[1] == b"shared\n"
    assert (await harness.runtime.exec_sync(two, ["hostname"], 10))[1] == b"together\n"
    assert (await harness.runtime.exec_sync(two, ["cat", "/etc/hostname"], 10))[1] == b"together\n"
    spaces = [await _namespaces(harness, item) for item in (one, two)]
    own = {name: os.readlink(f"/proc/self/ns/{name}") for name in spaces[0]}
    assert all(spaces[0][name] == spaces[1][name] != own[name] for name in ("net", "ipc", "uts"))
    assert all(spaces[0][name] != spaces[1][name] for name in ("mnt", "pid", "cgroup"))


async def test_a_pod_may_share_its_pid_namespace(harness: Harness) -> None:
    sandbox = await harness.sandbox(pid=NamespaceMode.POD)
    one = await harness.run(sandbox, "sleep", "1111", log_path="a.log")
    two = await harness.run(sandbox, "sleep", "2222", log_path="b.log")
    processes = (await harness.runtime.exec_sync(two, ["ps"], 10))[1].decode()
    assert "sleep 1111" in processes
    assert "sleep 2222" in processes
    assert "proa-pod" in (await harness.runtime.exec_sync(one, ["cat", "/proc/1/comm"], 10))[1].decode()
    await harness.runtime.stop_container(one, 0.1)
    assert (await harness.runtime.exec_sync(two, ["true"], 10))[0] == 0


async def test_children_of_a_container_in_a_shared_pid_namespace_die_with_it(harness: Harness) -> None:
    sandbox = await harness.sandbox(pid=NamespaceMode.POD)
    watcher = await harness.run(sandbox, "sleep", "1111", log_path="a.log")
    parent = await harness.run(sandbox, "sh", "-c", "sleep 3333 & exit 0", log_path="b.log")
    await harness.ended(parent)
    assert b"sleep 3333" not in (await harness.runtime.exec_sync(watcher, ["ps"], 10))[1]


async def test_an_ephemeral_container_joins_the_pid_namespace_of_its_target(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    target = await harness.run(sandbox, "sleep", "1111", log_path="a.log")
    debugger = await harness.run(
        sandbox, "sleep", "2222", log_path="b.log",
        security=secured(pid=NamespaceMode.CONTAINER, target_container=target),
    )  # fmt: skip
    assert b"sleep 1111" in (await harness.runtime.exec_sync(debugger, ["ps"], 10))[1]


async def test_a_host_network_pod_has_the_host_s_network_and_name(harness: Harness) -> None:
    sandbox = await harness.sandbox(network=NamespaceMode.NODE)
    container_id = await harness.run(sandbox, "sleep", "100")
    spaces = await _namespaces(harness, container_id)
    assert spaces["net"] == os.readlink("/proc/self/ns/net")
    assert spaces["uts"] == os.readlink("/proc/self/ns/uts")
    assert spaces["ipc"] != os.readlink("/proc/self/ns/ipc")


async def test_a_host_pid_pod_sees_the_host_s_processes(harness: Harness) -> None:
    sandbox = await harness.sandbox(pid=NamespaceMode.NODE, ipc=NamespaceMode.NODE)
    container_id = await harness.run(sandbox, "sh", "-c", "sleep 4444 & sleep 5555")
    spaces = await _namespaces(harness, container_id)
    assert spaces["pid"] == os.readlink("/proc/self/ns/pid")
    assert spaces["ipc"] == os.readlink("/proc/self/ns/ipc")
    await harness.runtime.stop_container(container_id, 0)
    assert b"sleep 4444" not in b"".join(_command_lines())


async def test_sysctls_are_set_in_the_pod_only(harness: Harness) -> None:
    sandbox = await harness.sandbox(sysctls={"net.ipv4.ip_local_port_range": "20000 30000"})
    container_id = await harness.run(sandbox, "sleep", "100")
    output = (await harness.runtime.exec_sync(container_id, ["cat", "/proc/sys/net/ipv4/ip_local_port_range"], 10))[1]
    assert output.split() == [b"20000", b"30000"]
    assert Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split() != ["20000", "30000"]


async def test_a_wrong_sysctl_fails_the_sandbox_and_leaves_nothing(harness: Harness) -> None:
    with pytest.raises(RuntimeFault, match="failed to create pod sandbox"):
        await harness.sandbox(sysctls={"net.no_such_thing": "1"})
    assert await harness.runtime.sandboxes() == []


async def test_limits_are_set_and_can_be_changed(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    resources = LinuxResources(cpu_shares=512, cpu_quota=50_000, memory_limit=64 << 20, pids_limit=50)
    container_id = await harness.run(sandbox, "sleep", "100", resources=resources)
    directories = {item.split("/")[4]: Path(item) for item in _cgroups(harness, container_id)}
    if "memory" not in directories:
        pytest.skip("written for cgroup v1 hierarchies")

    def limits() -> tuple[str, ...]:
        files = (
            ("cpu", "cpu.shares"),
            ("cpu", "cpu.cfs_quota_us"),
            ("memory", "memory.limit_in_bytes"),
            ("pids", "pids.max"),
        )
        return tuple((directories[name] / file).read_text().strip() for name, file in files)

    assert limits() == ("512", "50000", str(64 << 20), "50")
    changed = dataclasses.replace(resources, memory_limit=128 << 20, cpu_quota=-1)
    await harness.runtime.update_resources(container_id, changed)
    assert limits() == ("512", "-1", str(128 << 20), "50")


async def test_exec_has_the_container_s_limits_user_and_filter(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), "sleep", "100", security=secured(user=1000))
    script = "id -u; while read k v; do case $k in CapEff:|CapBnd:|Seccomp:) echo $v;; esac; done </proc/self/status"
    output = (await harness.runtime.exec_sync(container_id, ["sh", "-c", script], 10))[1].decode().split()
    assert output == ["1000", "0000000000000000", "00000000a80425fb", "2"]
    mine = await harness.runtime.exec_sync(container_id, ["cat", "/proc/self/cgroup"], 10)
    assert mine == await harness.runtime.exec_sync(container_id, ["cat", "/proc/1/cgroup"], 10)


async def test_a_privileged_container_has_everything(harness: Harness) -> None:
    security = secured(privileged=True)
    script = (
        "while read k v; do case $k in CapEff:|Seccomp:) echo $v;; esac; done </proc/self/status; mount -t tmpfs x /tmp"
    )
    own = next(
        line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
    )
    assert await shell(harness, script, security=security) == [own, "0"]


async def test_a_terminal_is_the_controlling_one_and_has_a_size(harness: Harness) -> None:
    container_id = await harness.run(await harness.sandbox(), "sleep", "100")
    streams = await harness.runtime.exec(container_id, ["sh", "-c", "read x; tty; stty size"], tty=True, stdin=True)
    await streams.resize(111, 33)
    await streams.write(b"\n")
    output = (await streams.stdout.read()).decode().split()
    assert output == ["/dev/pts/0", "33", "111"]
    assert await streams.wait() == 0
    await streams.close()


async def test_the_runtime_s_own_program_can_not_be_run_through_proc(harness: Harness) -> None:
    sandbox = await harness.sandbox()
    with pytest.raises(RuntimeFault, match="permission denied"):
        await harness.run(sandbox, "/proc/self/exe", "-c", "pass")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("nope", 'exec: "nope": executable file not found in $PATH'),
        ("/bin/nope", 'exec: "/bin/nope": stat /bin/nope: no such file or directory'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
        ("/etc", 'exec: "/etc": is a directory'),
    ],
)
async def test_what_can_not_be_executed_is_said_precisely(harness: Harness, program: str, message: str) -> None:
    sandbox = await harness.sandbox()
    container_id = await harness.runtime.create_container(sandbox.id, config(program))
    with pytest.raises(RuntimeFault):
        await harness.runtime.start_container(container_id)
    status = await harness.runtime.container(container_id)
    assert (status.message, status.exit_code, status.reason) == (message, 128, "StartError")


async def test_long_lines_are_cut_and_much_output_is_kept_whole(harness: Harness) -> None:
    script = "head -c 40000 /dev/zero | busybox tr '\\0' x; echo; busybox seq 20000"
    status, lines = await harness.result("sh", "-c", script)
    assert status.exit_code == 0
    assert [(tag, len(line)) for _, tag, line in lines[:3]] == [("P", 16384), ("P", 16384), ("F", 7232)]
    assert [line for _, _, line in lines[3:]] == [str(number) for number in range(1, 20001)]


async def _namespaces(harness: Harness, container_id: str) -> dict[str, str]:
    pid = (await harness.runtime.container(container_id)).pid
    return {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ("net", "ipc", "uts", "mnt", "pid", "cgroup")}


def _cgroups(harness: Harness, container_id: str) -> list[str]:
    runtime = harness.runtime
    owner = runtime._owner(container_id)  # type: ignore[attr-defined]
    return runtime._tree.directories(f"{owner.spec['cgroup']}/{container_id}")  # type: ignore[attr-defined,no-any-return]


def _command_lines() -> list[bytes]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" "))
            except OSError:
                continue
    return found
