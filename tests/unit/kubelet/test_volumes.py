"""Volumes as files: their content, modes, atomic changes, and that nothing is left."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from proa.aio.clock import SystemClock
from proa.api.core_v1 import (
    ConfigMap,
    ConfigMapVolumeSource,
    Container,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    ObjectFieldSelector,
    ProjectedVolumeSource,
    Secret,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from proa.kubelet.atomic import Payload, write_atomically
from proa.kubelet.services import NodeConfig, StepError
from proa.kubelet.status import Host
from proa.kubelet.volumes import NodeVolumes
from proa.machinery.meta import ObjectMeta
from proa.machinery.timestamps import from_epoch

META = ObjectMeta(name="c", namespace="default")


class FakeMounter:
    def __init__(self) -> None:
        self.mounted: list[tuple[Path, int | None]] = []

    def tmpfs(self, target: Path, size: int | None) -> None:
        self.mounted.append((target, size))

    def unmount(self, target: Path) -> None:
        self.mounted = [each for each in self.mounted if each[0] != target]


class Tree:
    def __init__(self, world: Any, tmp_path: Path) -> None:
        self.world = world
        self.root = tmp_path
        self.mounter = FakeMounter()
        self.recorded: list[tuple[str, str]] = []
        self.tokens = 0
        world.api.post = self.post
        config = NodeConfig(name="node-1", root=tmp_path / "kubelet", log_root=tmp_path / "logs")
        objects = world.services().objects
        self.volumes = NodeVolumes(
            config, world.api, objects, Host(("192.168.0.1",)), SystemClock(), self, self.mounter
        )

    async def post(self, resource: Any, name: str, namespace: str, subresource: str, body: Any) -> Any:
        assert (name, subresource, body.spec.boundObjectRef.kind) == ("default", "token", "Pod")
        self.tokens += 1
        expires = SystemClock().now().timestamp() + body.spec.expirationSeconds
        return {"status": {"token": f"token-{self.tokens}", "expirationTimestamp": from_epoch(expires)}}

    def record(self, kind: str, identity: str) -> None:
        self.recorded.append((kind, identity))

    def forget(self, kind: str, identity: str) -> None:
        self.recorded.remove((kind, identity))

    async def path(self, pod: Any, volume: Volume) -> Path:
        await self.volumes.set_up(pod)
        container = Container(name="app", volumeMounts=(VolumeMount(name=volume.name, mountPath="/v"),))
        (found, *_) = await self.volumes.mounts(pod, container, 0, {}, ["10.0.0.5"])
        return found.host_path


@pytest.fixture
def tree(make_world: Any, tmp_path: Path) -> Tree:
    return Tree(make_world(SystemClock()), tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_config_map_is_a_directory_of_its_keys(tree: Tree, make_pod: Any) -> None:
    tree.world.api.put("configmaps", ConfigMap(metadata=META, data={"a": "1"}, binaryData={"b": b"\0"}))
    volume = Volume(name="v", configMap=ConfigMapVolumeSource(name="c", defaultMode=0o440))
    path = await tree.path(make_pod(volumes=(volume,)), volume)
    assert {each for each in os.listdir(path) if not each.startswith("..")} == {"a", "b"}
    assert (path / "a").read_text() == "1"
    assert (path / "b").read_bytes() == b"\0"
    assert mode(path / "a") == 0o440
    assert os.readlink(path / "a") == "..data/a"


async def test_items_choose_keys_paths_and_modes(tree: Tree, make_pod: Any) -> None:
    tree.world.api.put("secrets", Secret(metadata=META, data={"a": b"1", "b": b"2"}))
    items = (KeyToPath(key="a", path="deep/er/x", mode=0o400),)
    volume = Volume(name="v", secret=SecretVolumeSource(secretName="c", items=items))
    path = await tree.path(make_pod(volumes=(volume,)), volume)
    assert (path / "deep/er/x").read_bytes() == b"1"
    assert mode(path / "deep/er/x") == 0o400
    assert "b" not in os.listdir(path)
    assert path.is_relative_to(tree.root / "kubelet" / "private"), "secrets are on a tmpfs"
    assert tree.recorded == [("mount", str(tree.root / "kubelet" / "private"))]


async def test_an_update_swaps_everything_at_once(tree: Tree, make_pod: Any) -> None:
    tree.world.api.put("configmaps", ConfigMap(metadata=META, data={"a": "1", "old": "x"}))
    volume = Volume(name="v", configMap=ConfigMapVolumeSource(name="c"))
    pod = make_pod(volumes=(volume,))
    path = await tree.path(pod, volume)
    before = os.readlink(path / "..data")
    await tree.volumes.set_up(pod)
    assert os.readlink(path / "..data") == before, "the same content is not written again"
    tree.world.api.put("configmaps", ConfigMap(metadata=META, data={"a": "2"}))
    await tree.volumes.set_up(pod)
    assert os.readlink(path / "..data") != before
    assert (path / "a").read_text() == "2"
    assert not (path / "old").is_symlink()
    assert len([each for each in os.listdir(path) if each.startswith("..2")]) == 1


def test_payloads_may_change_their_mode_alone(tmp_path: Path) -> None:
    assert write_atomically(tmp_path, {"a": Payload(b"1", 0o644)})
    assert not write_atomically(tmp_path, {"a": Payload(b"1", 0o644)})
    assert write_atomically(tmp_path, {"a": Payload(b"1", 0o600)})


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (Volume(name="v", configMap=ConfigMapVolumeSource(name="x")), 'configmap "x" not found'),
        (Volume(name="v", secret=SecretVolumeSource(secretName="x")), 'secret "x" not found'),
        (Volume(name="v", hostPath=HostPathVolumeSource(path="/no/such", type="Directory")), "/no/such does not exist"),
        (Volume(name="v", nfs=NFSVolumeSource(server="s", path="/")), "not supported by this node"),
    ],
)
async def test_what_cannot_be_mounted_is_said_with_its_volume(
    tree: Tree, make_pod: Any, volume: Volume, message: str
) -> None:
    with pytest.raises(StepError) as caught:
        await tree.volumes.set_up(make_pod(volumes=(volume,)))
    assert caught.value.events[0][0] == "FailedMount"
    assert str(caught.value).startswith('MountVolume.SetUp failed for volume "v" : ')
    assert message in str(caught.value)


async def test_an_optional_source_may_be_missing(tree: Tree, make_pod: Any) -> None:
    volume = Volume(name="v", configMap=ConfigMapVolumeSource(name="x", optional=True))
    path = await tree.path(make_pod(volumes=(volume,)), volume)
    assert [each for each in os.listdir(path) if not each.startswith("..")] == []


async def test_a_projected_volume_has_a_token_that_is_kept_until_it_is_due(tree: Tree, make_pod: Any) -> None:
    token = VolumeProjection(serviceAccountToken=ServiceAccountTokenProjection(path="token", expirationSeconds=3607))
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=(token,), defaultMode=0o644))
    pod = make_pod(volumes=(volume,))
    path = await tree.path(pod, volume)
    await tree.volumes.set_up(pod)
    assert (path / "token").read_text() == "token-1"
    assert tree.tokens == 1


async def test_downward_files_show_labels(tree: Tree, make_pod: Any) -> None:
    item = DownwardAPIVolumeFile(path="name", fieldRef=ObjectFieldSelector(fieldPath="metadata.name"))
    volume = Volume(name="v", downwardAPI=DownwardAPIVolumeSource(items=(item,)))
    assert ((await tree.path(make_pod(volumes=(volume,)), volume)) / "name").read_text() == "web"


async def test_empty_dirs_are_everybodys_and_memory_ones_are_journalled_mounts(tree: Tree, make_pod: Any) -> None:
    disk = Volume(name="d", emptyDir=EmptyDirVolumeSource())
    memory = Volume(name="m", emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi"))
    pod = make_pod(volumes=(disk, memory))
    assert mode(await tree.path(pod, disk)) == 0o777
    path = await tree.path(pod, memory)
    assert (path, 1 << 20) in tree.mounter.mounted
    assert ("mount", str(path)) in tree.recorded


async def test_managed_files_and_the_termination_message(tree: Tree, make_pod: Any) -> None:
    pod = make_pod()
    container = Container(name="app", terminationMessagePath="/dev/termination-log")
    mounts = {each.container_path: each for each in await tree.volumes.mounts(pod, container, 0, {}, ["10.0.0.5"])}
    assert set(mounts) == {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/dev/termination-log"}
    assert "10.0.0.5\tweb" in mounts["/etc/hosts"].host_path.read_text()
    own = Container(name="app", volumeMounts=(VolumeMount(name="h", mountPath="/etc/hosts"),))
    pod = make_pod(volumes=(Volume(name="h", emptyDir=EmptyDirVolumeSource()),))
    taken = await tree.volumes.mounts(pod, own, 0, {}, [])
    assert [each.container_path for each in taken].count("/etc/hosts") == 1


async def test_a_sub_path_is_expanded_and_may_not_leave(tree: Tree, make_pod: Any) -> None:
    pod = make_pod(volumes=(Volume(name="d", emptyDir=EmptyDirVolumeSource()),))

    def wants(**fields: Any) -> Container:
        return Container(name="app", volumeMounts=(VolumeMount(name="d", mountPath="/v", **fields),))

    (mount, *_) = await tree.volumes.mounts(pod, wants(subPathExpr="$(POD)/x"), 0, {"POD": "web"}, [])
    assert mount.sub_path == "web/x"
    with pytest.raises(StepError, match="must stay inside"):
        await tree.volumes.mounts(pod, wants(subPathExpr="$(POD)"), 0, {"POD": "../.."}, [])


async def test_tear_down_leaves_nothing(tree: Tree, make_pod: Any) -> None:
    tree.world.api.put("secrets", Secret(metadata=META, data={"a": b"1"}))
    volumes = (
        Volume(name="s", secret=SecretVolumeSource(secretName="c")),
        Volume(name="d", emptyDir=EmptyDirVolumeSource()),
    )
    pod = make_pod(volumes=volumes)
    await tree.volumes.set_up(pod)
    await tree.volumes.tear_down(pod.metadata.uid)
    assert not any((tree.root / "kubelet" / "pods").iterdir())
    assert not any((tree.root / "kubelet" / "private").iterdir())
    await tree.volumes.tear_down(pod.metadata.uid)
