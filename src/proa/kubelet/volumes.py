"""The files of this node's pods: their volumes, managed files and termination messages, below the kubelet's root.

    <root>/pods/<uid>/volumes/kubernetes.io~<kind>/<name>    a volume
    <root>/pods/<uid>/etc-hosts, resolv.conf, hostname       managed files
    <root>/pods/<uid>/containers/<name>/<attempt>            a container's termination message
    <root>/private/<uid>/<name>                              volumes with secrets: on one tmpfs, never on a disk

Mounts are journalled before they are made. Work on files happens in a thread. Which files a volume shows is `payloads`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from proa.aio.clock import Clock
from proa.api.core_v1 import EmptyDirVolumeSource, HostPathVolumeSource, Pod, Volume, VolumeMount
from proa.base.errors import ProaError
from proa.base.journal import Journal
from proa.client.protocol import Client
from proa.kubelet import labels
from proa.kubelet.atomic import Payload, write_atomically
from proa.kubelet.environment import expand
from proa.kubelet.hostnames import hostname_of
from proa.kubelet.logs import tail
from proa.kubelet.netfiles import hosts_file, parse_resolver, resolver_of
from proa.kubelet.payloads import PayloadMaker, Tokens, VolumeError
from proa.kubelet.services import AnyContainer, NodeConfig, Objects, StepError
from proa.kubelet.status import Host
from proa.linux.mounts import MS_NODEV, MS_NOSUID, mount, unmount
from proa.machinery.quantity import parse
from proa.runtime.protocol import ContainerStatus, Mount

_MESSAGE_LIMIT = 4096
_FALLBACK_LINES, _FALLBACK_BYTES = 80, 2048

_KINDS = {"configMap": "configmap", "downwardAPI": "downward-api", "emptyDir": "empty-dir"}


class Mounter(Protocol):
    """The two mount operations volumes need."""

    def tmpfs(self, target: Path, size: int | None) -> None: ...
    def unmount(self, target: Path) -> None: ...


class KernelMounter:
    def tmpfs(self, target: Path, size: int | None) -> None:
        options = "mode=0777" if size is None else f"mode=0777,size={size}"
        mount("tmpfs", str(target), "tmpfs", MS_NOSUID | MS_NODEV, options)

    def unmount(self, target: Path) -> None:
        unmount(str(target), detach=True)


class _NoJournal:
    def record(self, kind: str, identity: str) -> None:
        return None

    def forget(self, kind: str, identity: str) -> None:
        return None


class NodeVolumes:
    """Every pod's files on one node. `refresh` is called with the uids of pods whose tokens are due."""

    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        objects: Objects,
        host: Host,
        clock: Clock,
        journal: Journal | None = None,
        mounter: Mounter | None = None,
        refresh: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self._config = config
        self._host = host
        self._journal: Journal = journal or _NoJournal()
        self._mounter: Mounter = mounter or KernelMounter()
        self._clock = clock
        self._tokens = Tokens(client, clock)
        self._payloads = PayloadMaker(objects, self._tokens, config.capacity)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._private_ready = False
        self._private_lock = asyncio.Lock()
        self._refresh = refresh

    def on_refresh(self, refresh: Callable[[frozenset[str]], None]) -> None:
        self._refresh = refresh

    # Volumes

    async def set_up(self, pod: Pod) -> None:
        work: list[tuple[Volume, dict[str, Payload] | None]] = []
        for volume in pod.spec.volumes:
            try:
                work.append((volume, await self._payloads.files(pod, volume)))
            except (ProaError, OSError, TimeoutError) as error:
                raise _failed(volume, error) from error
        if any(_is_private(volume) for volume, _ in work):
            await self._mount_private()
        await asyncio.to_thread(self._make, pod, work)
        self._watch_tokens(pod.metadata.uid)

    def _make(self, pod: Pod, work: Sequence[tuple[Volume, dict[str, Payload] | None]]) -> None:
        directory = self._pod_directory(pod.metadata.uid)
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        for volume, files in work:
            try:
                path = self._path(pod.metadata.uid, volume)
                if files is not None:
                    path.mkdir(parents=True, exist_ok=True, mode=0o755)
                    write_atomically(path, files)
                elif volume.emptyDir is not None:
                    self._empty_dir(pod, path, volume.emptyDir)
                elif volume.hostPath is not None:
                    _host_path(volume.hostPath)
                else:
                    raise VolumeError(
                        "this kind of volume is not supported by this node: use emptyDir, hostPath, configMap, secret, "
                        "downwardAPI or projected"
                    )
            except (ProaError, OSError) as error:
                raise _failed(volume, error) from error

    def _empty_dir(self, pod: Pod, path: Path, source: EmptyDirVolumeSource) -> None:
        if source.medium not in ("", "Memory"):
            raise VolumeError(f'medium {source.medium!r} is not supported by this node: use "" or "Memory"')
        fresh = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if source.medium == "Memory" and not os.path.ismount(path):
            self._journal.record("mount", str(path))
            size = parse(source.sizeLimit).value if source.sizeLimit is not None else 0
            self._mounter.tmpfs(path, size or None)
            fresh = True
        if fresh:
            path.chmod(0o777)
            group = pod.spec.securityContext.fsGroup if pod.spec.securityContext is not None else None
            if group is not None:
                os.chown(path, -1, group)
                path.chmod(0o2777)

    async def _mount_private(self) -> None:
        async with self._private_lock:
            if self._private_ready:
                return
            path = self._config.root / "private"

            def make() -> None:
                path.mkdir(parents=True, exist_ok=True, mode=0o711)
                if not os.path.ismount(path):
                    self._journal.record("mount", str(path))
                    self._mounter.tmpfs(path, None)
                path.chmod(0o711)

            await asyncio.to_thread(make)
            self._private_ready = True

    def _path(self, uid: str, volume: Volume) -> Path:
        if volume.hostPath is not None:
            return Path(volume.hostPath.path)
        if _is_private(volume):
            return self._config.root / "private" / uid / volume.name
        kind = next((word for field, word in _KINDS.items() if getattr(volume, field) is not None), "unknown")
        return self._pod_directory(uid) / "volumes" / f"kubernetes.io~{kind}" / volume.name

    def _pod_directory(self, uid: str) -> Path:
        return self._config.root / "pods" / uid

    def _watch_tokens(self, uid: str) -> None:
        due = self._tokens.due(uid)
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()
        if due is not None and self._refresh is not None:
            delay = max(1.0, due - self._clock.now().timestamp())
            self._timers[uid] = asyncio.get_running_loop().call_later(delay, self._refresh, frozenset((uid,)))

    async def tear_down(self, uid: str) -> None:
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()
        self._tokens.forget(uid)
        await asyncio.to_thread(self._remove, uid)

    def _remove(self, uid: str) -> None:
        directory = self._pod_directory(uid)
        for path in (directory / "volumes" / "kubernetes.io~empty-dir").glob("*"):
            if os.path.ismount(path):
                self._mounter.unmount(path)
                self._journal.forget("mount", str(path))
        for each in (directory, self._config.root / "private" / uid):
            if each.exists():
                shutil.rmtree(each)

    # What a container sees

    async def mounts(
        self, pod: Pod, container: AnyContainer, attempt: int, env: Mapping[str, str], ips: Sequence[str]
    ) -> tuple[Mount, ...]:
        volumes = {each.name: each for each in pod.spec.volumes}
        made = []
        for each in container.volumeMounts:
            volume = volumes.get(each.name)
            if volume is None:
                raise StepError("CreateContainerConfigError", f"volume {each.name} is not in the pod's spec.volumes")
            made.append(self._mount(pod, volume, each, env))
        return (*made, *await asyncio.to_thread(self._managed, pod, container, attempt, ips))

    def _mount(self, pod: Pod, volume: Volume, wanted: VolumeMount, env: Mapping[str, str]) -> Mount:
        sub_path = expand(wanted.subPathExpr, env) if wanted.subPathExpr else wanted.subPath
        if sub_path.startswith("/") or ".." in sub_path.split("/"):
            raise StepError(
                "CreateContainerConfigError", f"subPath {sub_path!r} of volume {volume.name} must stay inside it"
            )
        path = self._path(pod.metadata.uid, volume)
        always_readonly = volume.emptyDir is None and volume.hostPath is None
        return Mount(
            host_path=path,
            container_path=wanted.mountPath,
            readonly=wanted.readOnly or always_readonly,
            propagation=wanted.mountPropagation or "None",
            recursive_readonly=wanted.recursiveReadOnly in ("Enabled", "IfPossible"),
            sub_path=sub_path,
        )

    def _managed(self, pod: Pod, container: AnyContainer, attempt: int, ips: Sequence[str]) -> list[Mount]:
        """hosts, resolv.conf, hostname, and the file for the termination message."""
        taken = {os.path.normpath(each.mountPath) for each in container.volumeMounts}
        config = self._config
        directory = self._pod_directory(pod.metadata.uid)
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        host_resolver = parse_resolver(_text(config.resolv_conf))
        texts = {
            "/etc/hosts": ("etc-hosts", hosts_file(pod, ips, config.cluster_domain, _text(Path("/etc/hosts")))),
            "/etc/resolv.conf": (
                "resolv.conf",
                resolver_of(pod, host_resolver, config.cluster_dns, config.cluster_domain).text(),
            ),
        }
        if not pod.spec.hostNetwork:
            texts["/etc/hostname"] = ("hostname", hostname_of(pod, config.cluster_domain) + "\n")
        made = []
        for target, (name, text) in texts.items():
            if target in taken:
                continue
            path = directory / name
            if _text(path) != text:
                path.write_text(text)
                path.chmod(0o644)
            made.append(Mount(path, target))
        if container.terminationMessagePath:
            path = self._message_path(pod.metadata.uid, container.name, attempt)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            path.touch()
            path.chmod(0o666)
            made.append(Mount(path, container.terminationMessagePath))
        return made

    # Messages and logs

    def _message_path(self, uid: str, name: str, attempt: int) -> Path:
        return self._pod_directory(uid) / "containers" / name / str(attempt)

    def termination_message(self, pod: Pod, status: ContainerStatus) -> str:
        path = self._message_path(pod.metadata.uid, status.config.name, status.config.attempt)
        try:
            with path.open("rb") as file:
                data = file.read(_MESSAGE_LIMIT)
        except OSError:
            data = b""
        policy = status.config.annotations.get(labels.TERMINATION_MESSAGE_POLICY)
        if not data and policy == "FallbackToLogsOnError" and status.exit_code != 0 and status.log_path is not None:
            data = tail(status.log_path, _FALLBACK_LINES)[-_FALLBACK_BYTES:]
        return data.decode(errors="replace")

    def log_directory(self, pod: Pod) -> Path | None:
        meta = pod.metadata
        return self._config.log_root / f"{meta.namespace}_{meta.name}_{meta.uid}"

    def remove_logs(self, pod: Pod) -> None:
        directory = self.log_directory(pod)
        if directory is not None and directory.exists():
            shutil.rmtree(directory)


def _is_private(volume: Volume) -> bool:
    """It may hold secrets or tokens: memory only."""
    return volume.secret is not None or volume.projected is not None


def _failed(volume: Volume, error: Exception) -> StepError:
    text = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
    return StepError("FailedMount", text, events=[("FailedMount", text)])


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _host_path(source: HostPathVolumeSource) -> None:
    """Check, and where asked to create, what is on the host (HostPathType)."""
    path, kind = Path(source.path), source.type or ""
    if kind in ("", "DirectoryOrCreate") and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    if kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    if kind == "":
        return
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise VolumeError(f"hostPath type check failed: {path} does not exist") from None
    checks: dict[str, tuple[Callable[[int], bool], str]] = {
        "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
        "Directory": (stat.S_ISDIR, "directory"),
        "FileOrCreate": (stat.S_ISREG, "file"),
        "File": (stat.S_ISREG, "file"),
        "Socket": (stat.S_ISSOCK, "socket file"),
        "CharDevice": (stat.S_ISCHR, "character device"),
        "BlockDevice": (stat.S_ISBLK, "block device"),
    }
    is_kind, what = checks[kind]
    if not is_kind(mode):
        raise VolumeError(f"hostPath type check failed: {path} is not a {what}")
