"""The processes of a cluster: how each is started in the background, found again, and stopped.

A running component holds a record lock on `run/<component>.pid` and has written its pid and start time there, so two
can not serve one data directory, and a pid that was given to another program is never taken for ours. The set of
processes changes only under the cluster's lock. Not here: what a component does (`server`, `agent`), what is undone
after it (`teardown`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from proa.base.errors import ProaError
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings
from proa.linux import process
from proa.linux.daemon import Daemon

LOG_BYTES = 10 << 20
LOG_BACKUPS = 3
SERVER = "server"
PATIENCE = 15.0
"""Seconds a component gets to stop cleanly."""
_AGENT = "agent-"


class AlreadyRunsError(ProaError):
    """Another process is this component of this cluster."""


class Identity(msgspec.Struct, frozen=True):
    """A process for ever: its pid, and when it started in clock ticks after boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid, process.start_time(pid))

    @property
    def alive(self) -> bool:
        return process.is_same(self.pid, self.started)


class Component(msgspec.Struct, frozen=True):
    """name: as in file names and `proa logs`. arguments: of `proa`, to run it in the foreground."""

    name: str
    arguments: tuple[str, ...]

    @property
    def node(self) -> str:
        """The node an agent serves, '' for anything else."""
        return self.name.removeprefix(_AGENT) if self.name.startswith(_AGENT) else ""


def node_names(settings: Settings) -> tuple[str, ...]:
    """The real nodes of this machine; unique among its clusters, because programs see them as host names."""
    return tuple(f"{settings.name}-node-{number}" for number in range(1, settings.nodes + 1))


def agent(node: str) -> str:
    """The component that is this node's agent."""
    return f"{_AGENT}{node}"


def components(paths: ClusterPaths, settings: Settings) -> tuple[Component, ...]:
    """What runs in the background for a cluster, in the order it is started."""
    where = ("--name", settings.name, "--data-dir", str(paths.root))
    agents = (Component(agent(node), ("agent", *where, "--node-name", node)) for node in node_names(settings))
    return (Component(SERVER, (SERVER, *where)), *agents)


def changing(paths: ClusterPaths) -> AbstractContextManager[None]:
    """Hold the cluster's lock; waits for another `up`, `stop` or `down` to end."""
    return locked(paths.lock)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this file for the block; waits for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def forget_last_boot(paths: ClusterPaths) -> None:
    """Pids and start times from before a reboot name nobody, or worse, somebody else."""
    now = Path("/proc/sys/kernel/random/boot_id").read_text()
    known = paths.run / "boot"
    if known.exists() and known.read_text() == now:
        return
    shutil.rmtree(paths.run, ignore_errors=True)
    paths.run.mkdir(parents=True, mode=0o700)
    known.write_text(now)


def pid_file(paths: ClusterPaths, component: str) -> Path:
    return paths.run / f"{component}.pid"


def running(paths: ClusterPaths, component: str) -> Identity | None:
    """The component's process if it lives."""
    identity = _read(pid_file(paths, component))
    return identity if identity is not None and identity.alive else None


def all_running(paths: ClusterPaths) -> dict[str, Identity]:
    """Every component that runs, by name, also those the settings no longer name."""
    names = sorted(each.stem for each in paths.run.glob("*.pid"))
    found = {name: running(paths, name) for name in names}
    return {name: identity for name, identity in found.items() if identity is not None}


@contextlib.contextmanager
def holding(paths: ClusterPaths, component: str) -> Iterator[None]:
    """Be the component, for as long as the block runs. Raises AlreadyRunsError.

    A POSIX record lock, because processes forked from this one do not inherit it.
    """
    path = pid_file(paths, component)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read(path)
            pid = f" (process {holder.pid})" if holder else ""
            raise AlreadyRunsError(f"{component} of the cluster in {paths.root} already runs{pid}") from error
        me = Identity.of(os.getpid())
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{me.pid} {me.started}\n".encode(), 0)
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def start(paths: ClusterPaths, component: Component, environment: Mapping[str, str]) -> Daemon:
    """Start it in the background, with what it says going to its log."""
    log = paths.log(component.name)
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _rotate(log)
    command = (sys.executable, "-m", "proa.cli.main", *component.arguments, "--log-file", str(log))
    return Daemon(command, log=str(log), env={**os.environ, **environment})


def stop(identity: Identity, patience: float = PATIENCE) -> bool:
    """SIGTERM, and SIGKILL after `patience` seconds. False when it took the latter. Returns once it is gone."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if not identity.alive:
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if _ended(descriptor, patience):
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _ended(descriptor, 10)
        return False
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, '' without one."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 64 * 1024))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def uptime(identity: Identity) -> float:
    """Seconds since the process started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - identity.started / os.sysconf("SC_CLK_TCK")


def _ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _read(path: Path) -> Identity | None:
    try:
        pid, started = map(int, path.read_text().split())
    except (FileNotFoundError, ValueError):
        return None
    return Identity(pid, started)


def _rotate(log: Path) -> None:
    """A component rotates its own log while it runs; this bounds what dies at once, again and again."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            for number in range(LOG_BACKUPS - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    log.with_name(f"{log.name}.{number}").replace(log.with_name(f"{log.name}.{number + 1}"))
            log.replace(log.with_name(f"{log.name}.1"))
