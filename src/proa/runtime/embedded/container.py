"""One container as its shim sees it: started by fork, reaped, its exit kept in a file and told to who listens.

status.json in the container's directory is always what an agent would learn by asking; it is written before anybody
is told, so that an agent killed at any moment finds the truth later.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time

from proa.linux import namespaces, terminal
from proa.runtime.embedded import child, wire
from proa.runtime.embedded.loop import READ
from proa.runtime.embedded.stdio import Stdio
from proa.runtime.logs import LogWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proa.linux.cgroups import Tree
    from proa.runtime.embedded.loop import Loop, Timer
    from proa.runtime.embedded.spec import ContainerSpec, ProcessSpec, StatusRecord

_DRAIN_SECONDS = 1.0
"""How long after the exit the output is read while a process outside the container still holds its pipes."""


class Spaces:
    """The namespaces of one sandbox that a container is started in; descriptors, -1 where there is none."""

    def __init__(self, host_mount: int, own_pid: int, shm: int) -> None:
        self.host_mount = host_mount
        self.own_pid = own_pid
        self.shm = shm


class Container:
    def __init__(
        self, loop: Loop, tree: Tree, directory: str, spaces: Spaces, on_change: Callable[[Container], None]
    ) -> None:
        with open(f"{directory}/spec.json", "rb") as file:
            self.spec: ContainerSpec = json.load(file)
        self.id = self.spec["id"]
        self._loop = loop
        self._tree = tree
        self._directory = directory
        self._spaces = spaces
        self._on_change = on_change
        self._stdio: Stdio | None = None
        self._log: LogWriter | None = None
        self._terminal = -1
        self._started: Callable[[str], None] | None = None
        self._start_error = ""
        self._exit: tuple[int, int] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._killer: Timer | None = None
        self.status: StatusRecord = {"id": self.id, "state": "created", "created_at": time.time()}

    @property
    def cgroup(self) -> str:
        return self.spec["cgroup"]

    @property
    def pid(self) -> int:
        return self.status.get("pid", 0)

    @property
    def running(self) -> bool:
        return self.status["state"] == "running"

    @property
    def alive(self) -> bool:
        """Is there a process, started or on its way?"""
        return self.pid > 0 and self.status["state"] != "exited"

    def create(self) -> None:
        """Make cgroup and directories; nothing runs yet."""
        for name in ("rootfs", "upper", "work"):
            os.mkdir(f"{self._directory}/{name}", 0o755)
        self._tree.create(self.cgroup, self.spec["limits"])
        if not self.spec["privileged"]:
            self._tree.allow_devices(self.cgroup, self.spec["device_rules"])
        self._publish()

    def start(self, target: Container | None, done: Callable[[str], None]) -> None:
        """Fork the init; `done` gets '' when the program runs or the reason why it does not."""
        if self.status["state"] != "created" or self._started is not None:
            done(f"container {self.id} is {self.status['state']}, only a created one can be started")
            return
        self._log = LogWriter(self.spec["log"])
        self._stdio = Stdio(self._loop, self._log, self._maybe_finish)
        ours: list[tuple[str, int]] = []
        theirs: list[int] = []
        if not self.spec["process"]["tty"]:
            if self.spec["stdin"]:
                read, write = os.pipe2(os.O_CLOEXEC)
                ours.append(("stdin", write))
                theirs.append(read)
            else:
                theirs.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            for stream in ("stdout", "stderr"):
                read, write = os.pipe2(os.O_CLOEXEC)
                ours.append((stream, read))
                theirs.append(write)
        sync, theirs_sync = socket.socketpair()
        self._enter_pid_namespace(target)
        try:
            pid = os.fork()
            if pid == 0:
                child.start(
                    self.spec,
                    self._directory,
                    self._tree,
                    theirs_sync,
                    theirs,
                    self._spaces.host_mount,
                    self._spaces.shm,
                )
        finally:
            self._leave_pid_namespace()
        self.status["pid"] = pid
        self._started = done
        for descriptor in theirs:
            os.close(descriptor)
        theirs_sync.close()
        for stream, descriptor in ours:
            if stream == "stdin":
                self._stdio.feed(descriptor, once=self.spec["stdin_once"])
            else:
                self._stdio.read(stream, descriptor)
        decoder = wire.Decoder()
        self._loop.watch(sync.fileno(), READ, lambda _: self._heard(sync, decoder))

    def exec(self, spec: ProcessSpec, stdio: list[int], sync: socket.socket) -> int:
        """Fork a further process; its pid. The caller listens at the other end of `sync`."""
        if not self.running:
            raise OSError(errno.ESRCH, f"container {self.id} is not running")
        spaces = [namespaces.open_namespace(kind, self.pid) for kind in ("cgroup", "mnt", "pid")]
        try:
            namespaces.setns(spaces[2], namespaces.NEWPID)
            pid = os.fork()
            if pid == 0:
                child.join(spec, self.cgroup, self._tree, sync, stdio, spaces[:2])
        finally:
            self._leave_pid_namespace()
            for descriptor in spaces:
                os.close(descriptor)
        return pid

    def attach(self, descriptors: list[int]) -> Callable[[], None]:
        """Connect stdin, stdout and, without a terminal, stderr of a client; the result disconnects them."""
        stdin, stdout, *rest = descriptors
        if self._stdio is None or not self.alive:
            raise OSError(errno.ESRCH, f"container {self.id} is not running")
        return self._stdio.attach(stdin, stdout, rest[0] if rest else None)

    def on_exit(self, done: Callable[[], None]) -> None:
        """Call `done` when it has exited and its record is written; now when it has."""
        if self.alive:
            self._waiting.append(done)
        else:
            done()

    def resize(self, width: int, height: int) -> None:
        if self._terminal >= 0:
            terminal.set_size(self._terminal, width, height)

    def reopen_log(self) -> None:
        if self._log is not None and self.alive:
            self._log.reopen()

    def stop(self, grace: float, done: Callable[[], None]) -> None:
        """The stop signal now, SIGKILL to all after `grace` seconds; `done` when it has exited."""
        self.on_exit(done)
        if not self.alive:
            return
        if grace > 0:
            self._signal(self.spec["stop_signal"])
        if self._killer is not None:
            self._killer.cancel()
        self._killer = self._loop.call_later(max(0.0, grace), self.kill)

    def kill(self) -> None:
        """SIGKILL to every process of the container."""
        if self.alive:
            self._signal(signal.SIGKILL)
            self._tree.kill(self.cgroup)

    def reaped(self, code: int, number: int) -> None:
        """The init is gone, with an exit code or by a signal."""
        self._exit = (code, number)
        self._tree.kill(self.cgroup)  # in a shared pid namespace the rest of it lives on
        if self._killer is not None:
            self._killer.cancel()
        self._loop.call_later(_DRAIN_SECONDS, self._finish)
        self._maybe_finish()

    def remove(self) -> None:
        """Remove what `create` made in the kernel."""
        self._tree.remove(self.cgroup)

    def _signal(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def _enter_pid_namespace(self, target: Container | None) -> None:
        """Choose where the next fork's pid lives."""
        if target is not None:
            if not target.running:
                raise OSError(errno.ESRCH, f"target container {target.id} is not running")
            space = namespaces.open_namespace("pid", target.pid)
            try:
                namespaces.setns(space, namespaces.NEWPID)
            finally:
                os.close(space)
        elif self.spec["pid"] == "container":
            namespaces.unshare(namespaces.NEWPID)

    def _leave_pid_namespace(self) -> None:
        namespaces.setns(self._spaces.own_pid, namespaces.NEWPID)

    def _heard(self, sync: socket.socket, decoder: wire.Decoder) -> None:
        """The child says something before its exec, or is silent for ever: it runs."""
        try:
            data, descriptors = wire.receive_some(sync)
        except ConnectionResetError:
            data, descriptors = b"", []
        for message in decoder.feed(data):
            if "error" in message:
                self._start_error = message["error"]
            elif descriptors and self._stdio is not None:
                self._terminal = descriptors[0]
                self._stdio.read("stdout", os.dup(self._terminal))
                if self.spec["stdin"]:
                    self._stdio.feed(os.dup(self._terminal), once=False)
        if data:
            return
        self._loop.forget(sync.fileno())
        sync.close()
        if not self._start_error:
            self.status["state"] = "running"
            self.status["started_at"] = time.time()
            self._publish()
            self._answer("")
        self._maybe_finish()

    def _answer(self, error: str) -> None:
        done, self._started = self._started, None
        if done is not None:
            done(error)

    def _maybe_finish(self) -> None:
        if self._exit is not None and self._stdio is not None and self._stdio.ended:
            self._finish()

    def _finish(self) -> None:
        """Exit known and output read: record it, then tell."""
        if self.status["state"] == "exited" or self._exit is None or self._stdio is None:
            return
        if self._started is not None and not self._start_error:
            # reaped before the end of the sync socket was seen; that comes next and decides whether it ever ran
            self._loop.call_later(0, self._finish)
            return
        code, number = self._exit
        status = self.status
        status["state"], status["pid"], status["finished_at"] = "exited", 0, time.time()
        status["exit_code"], status["signal"] = (128 + number if number else code), number
        if self._start_error:
            status["exit_code"], status["signal"], status["reason"] = 128, 0, "StartError"
            status["message"], status["started_at"] = self._start_error, 0.0
        elif status["exit_code"] != 0 and self._tree.oom_kills(self.cgroup) > 0:
            status["reason"] = "OOMKilled"
        else:
            status["reason"] = "Error" if status["exit_code"] else "Completed"
        self._stdio.finish()
        if self._log is not None:
            self._log.close()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        self._publish()
        self._answer(self._start_error)
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done()

    def _publish(self) -> None:
        wire.write_atomically(f"{self._directory}/status.json", json.dumps(self.status).encode())
        self._on_change(self)
