"""The shim: one small process a pod, holding its namespaces, parent of its containers' processes.

It lives in the pod's own network, IPC and UTS namespaces (so they need no pause process), in the host's mount
namespace. It outlives agent and zygote; a new agent finds its socket in the sandbox's directory. When it is killed,
its containers die with it (the kernel sees to that), for nobody could reap them.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket

from proa.linux import mounts, namespaces, process
from proa.linux.cgroups import detect
from proa.runtime.embedded import wire
from proa.runtime.embedded.container import Container, Spaces
from proa.runtime.embedded.loop import READ, Loop
from proa.runtime.embedded.peer import Peer
from proa.runtime.embedded.services import Connect, Exec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proa.runtime.embedded.spec import SandboxSpec
    from proa.runtime.embedded.wire import Message

_SHM_OPTIONS = "mode=1777,size=64m"
_DEFAULT_SYSCTLS = {"net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_unprivileged_port_start": "0"}
"""As other runtimes: ping and low ports need no capability inside a pod's own network."""


class Shim:
    def __init__(self, loop: Loop, spec: SandboxSpec, listener: socket.socket, spaces: Spaces) -> None:
        self._loop = loop
        self._spec = spec
        self._listener = listener
        self._spaces = spaces
        self._tree = detect()
        self._containers: dict[str, Container] = {}
        self._subscribers: list[Peer] = []
        self._execs: dict[int, Callable[[int], None]] = {}
        self._operations: dict[str, Callable[[Peer, Message], None]] = {
            "subscribe": self._subscribe,
            "create": self._create,
            "start": self._start,
            "stop": self._stop,
            "remove": self._remove,
            "update": self._update,
            "exec": self._exec,
            "attach": self._attach,
            "reopen": self._reopen,
            "forward": self._forward,
            "shutdown": self._shutdown,
        }

    def serve(self) -> None:
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._loop.watch(read, READ, lambda _: self._reap(read))
        self._loop.watch(self._listener.fileno(), READ, lambda _: self._accept())
        self._loop.run()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        Peer(self._loop, sock, self._handle)

    def _handle(self, peer: Peer, message: Message) -> None:
        operation = self._operations.get(message.get("op", ""))
        if operation is None:
            peer.send({"error": f"unknown operation {message.get('op')!r}"})
        else:
            operation(peer, message)

    def _reap(self, pipe: int) -> None:
        os.read(pipe, 512)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            code = 0 if number else os.WEXITSTATUS(status)
            finished = self._execs.pop(pid, None)
            if finished is not None:
                finished(128 + number if number else code)
                continue
            for container in self._containers.values():
                if container.pid == pid:
                    container.reaped(code, number)

    def _find(self, message: Message) -> Container:
        container = self._containers.get(message["id"])
        if container is None:
            raise OSError(errno.ENOENT, f"no container {message['id']} in this sandbox")
        return container

    def _changed(self, container: Container) -> None:
        for peer in list(self._subscribers):
            peer.send({"event": "container", "status": container.status})

    def _subscribe(self, peer: Peer, message: Message) -> None:
        """Every container's status now and each change of one later, in order."""
        peer.send({"containers": [item.status for item in self._containers.values()]})
        self._subscribers.append(peer)
        peer.on_close = lambda: self._subscribers.remove(peer)

    def _create(self, peer: Peer, message: Message) -> None:
        directory = f"{self._spec['directory']}/containers/{message['id']}"
        container = Container(self._loop, self._tree, directory, self._spaces, self._changed)
        try:
            container.create()
        except OSError:
            container.remove()
            raise
        self._containers[container.id] = container
        peer.send({"status": container.status})

    def _start(self, peer: Peer, message: Message) -> None:
        container = self._find(message)
        kind = container.spec["pid"]
        target = None
        if kind not in ("container", "pod", "node"):
            target = self._find({"id": kind})

        def done(error: str) -> None:
            peer.send({"status": container.status} | ({"error": error} if error else {}))

        container.start(target, done)

    def _stop(self, peer: Peer, message: Message) -> None:
        container = self._find(message)
        container.stop(message["grace"], lambda: peer.send({"status": container.status}))

    def _remove(self, peer: Peer, message: Message) -> None:
        container = self._find(message)

        def gone() -> None:
            try:
                container.remove()
            except OSError as error:
                peer.send({"error": wire.describe(error)})
                return
            self._containers.pop(container.id, None)
            peer.send({})

        container.stop(0, gone)

    def _update(self, peer: Peer, message: Message) -> None:
        self._tree.update(self._find(message).cgroup, message["limits"])
        peer.send({})

    def _reopen(self, peer: Peer, message: Message) -> None:
        self._find(message).reopen_log()
        peer.send({})

    def _exec(self, peer: Peer, message: Message) -> None:
        """Answers when the program runs, again with its exit code; the peer's going away kills it."""
        container = self._find(message)
        stdio = peer.take()
        ours, theirs = socket.socketpair()
        try:
            pid = container.exec(message["process"], stdio, theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            for descriptor in stdio:
                os.close(descriptor)
        Exec(self._loop, peer, pid, ours, self._execs)

    def _attach(self, peer: Peer, message: Message) -> None:
        """Answers at once, again when the container has ended; the peer may send resizes in between."""
        container = self._find(message)
        if "width" in message:
            container.resize(message["width"], message["height"])
            return
        descriptors = peer.take()
        peer.on_close = container.attach(descriptors)
        peer.send({"tty": container.spec["process"]["tty"]})
        container.on_exit(lambda: peer.send({"exit": container.status.get("exit_code", 0)}))

    def _forward(self, peer: Peer, message: Message) -> None:
        """Connect to a port of the pod's loopback and hand the socket over; no byte of it passes here."""
        Connect(self._loop, peer, message["port"])

    def _shutdown(self, peer: Peer, message: Message) -> None:
        """Kill every container, leave their records, end."""
        left = {item.id for item in self._containers.values() if item.alive}

        def one_less(container: Container) -> None:
            left.discard(container.id)
            if not left:
                end()

        def end() -> None:
            for container in self._containers.values():
                container.remove()
            self._tree.remove(self._spec["cgroup"])
            peer.send({})
            self._loop.stop()

        for container in list(self._containers.values()):
            if container.alive:
                container.stop(0, lambda container=container: one_less(container))  # type: ignore[misc]
        if not left:
            end()


def run(connection: socket.socket) -> None:
    """Be the shim that the request on `connection` asks for, until it is shut down."""
    data, _ = wire.receive_some(connection)
    (request,) = wire.Decoder().feed(data)
    with open(request["spec"], "rb") as file:
        spec: SandboxSpec = json.load(file)
    process.set_name("proa-shim")
    process.become_subreaper()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # a service manager that stops the agent's group must not stop pods
    process.set_oom_score(-998)
    directory = spec["directory"]
    wire.write_atomically(f"{directory}/shim.pid", f"{os.getpid()} {process.start_time(os.getpid())}\n".encode())
    spaces = _make_namespaces(spec)
    tree = detect()
    tree.create(spec["cgroup"], spec["limits"])
    listener = _listen(directory)
    loop = Loop()
    shim = Shim(loop, spec, listener, spaces)
    try:
        wire.send(connection, {"pid": os.getpid()})
    except OSError:  # the agent has given up
        tree.remove(spec["cgroup"])
        raise
    connection.close()
    # Moving a process makes the kernel wait for all cores (RCU, several milliseconds) unless one was moved a moment
    # ago. The pod's first container will be moved soon: wait now, with a move to where we are, while the agent makes
    # the pod's network.
    tree.join(spec["shim_cgroup"])
    shim.serve()


def _make_namespaces(spec: SandboxSpec) -> Spaces:
    """Move into the pod's namespaces, with a process to hold the pid namespace when containers share one."""
    host_mount = namespaces.open_namespace("mnt")
    own_pid = namespaces.open_namespace("pid")
    flags = namespaces.NEWNET | namespaces.NEWUTS if spec["network"] != "node" else 0
    flags |= namespaces.NEWIPC if spec["ipc"] != "node" else 0
    if flags:
        namespaces.unshare(flags)
    sysctls = dict(spec["sysctls"])
    if flags & namespaces.NEWNET:
        namespaces.bring_loopback_up()
        sysctls = _DEFAULT_SYSCTLS | sysctls
    if flags & namespaces.NEWUTS and spec["hostname"]:
        namespaces.set_hostname(spec["hostname"])
    for name, value in sysctls.items():
        namespaces.write_sysctl(name, value)
    shm = _make_shm(spec["directory"], host_mount) if flags & namespaces.NEWIPC else -1
    if spec["pid"] == "pod":
        namespaces.unshare(namespaces.NEWPID)
        if os.fork() == 0:
            _hold_pid_namespace()
        shared = namespaces.open_namespace("pid_for_children")
        os.close(own_pid)
        own_pid = shared
    return Spaces(host_mount, own_pid, shm)


def _make_shm(directory: str, host_mount: int) -> int:
    """The pod's /dev/shm: a mount namespace that holds one tmpfs and nothing of the host. Its descriptor."""
    namespaces.unshare(namespaces.NEWNS)
    mounts.set_propagation("/", mounts.MS_PRIVATE | mounts.MS_REC)
    target = f"{directory}/shm"
    os.mkdir(target, 0o700)
    flags = mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC
    mounts.mount("shm", target, "tmpfs", flags, _SHM_OPTIONS)
    holder = namespaces.open_namespace("mnt")
    mounts.pivot_root(target)
    namespaces.setns(host_mount, namespaces.NEWNS)
    return holder


def _hold_pid_namespace() -> None:
    """Be pid 1 of the pod's shared pid namespace: reap orphans, end with the shim."""
    process.set_name("proa-pod")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    process.die_with_parent(signal.SIGKILL)
    process.close_all_but([])
    while True:
        signal.pause()


def _listen(directory: str) -> socket.socket:
    """The shim's socket, bound by a short name: a unix socket's path may have 107 bytes only."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.chdir(directory)
    listener.bind("shim.sock")
    os.chdir("/")
    os.chmod(f"{directory}/shim.sock", 0o600)
    listener.listen(64)
    return listener
