"""From fork to exec: a child of the shim becomes a container's init or joins a container as an exec'd process.

The order of the steps is the kernel's demand (capabilities(7), seccomp(2), namespaces(7)) and is the only clever thing
here. Whatever fails before exec goes to the shim in words over `sync`, a close-on-exec socket: its end without a word
means the program runs. After the root has changed nothing may be imported: the modules would be the container's.
"""

from __future__ import annotations

import binascii
import errno
import gc
import os
import resource
import signal
import socket
import stat
import sys

from proa.linux import capabilities, mounts, namespaces, process, terminal
from proa.runtime.embedded import wire
from proa.runtime.embedded.rootfs import Rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from proa.linux.cgroups import Tree
    from proa.runtime.embedded.spec import ContainerSpec, ProcessSpec

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """The program can not be started; the message is for the container's status."""


def start(
    spec: ContainerSpec,
    directory: str,
    tree: Tree,
    sync: socket.socket,
    stdio: list[int],
    host_namespace: int,
    shm_namespace: int,
) -> NoReturn:
    """Become the container's init; `stdio` are its three descriptors, or empty for a terminal."""

    def steps() -> None:
        last_capability = capabilities.last()
        tree.join(spec["cgroup"])
        process.set_oom_score(spec["process"]["oom_score_adj"])
        root = Rootfs(spec, directory, tree)
        root.clone_sources(shm_namespace, host_namespace)
        root.build()
        _close_imports()
        root.enter()
        _run(spec["process"], sync, stdio, last_capability, console=True)

    _guard(sync, stdio, [host_namespace, shm_namespace], steps)


def join(
    spec: ProcessSpec, cgroup: str, tree: Tree, sync: socket.socket, stdio: list[int], spaces: list[int]
) -> NoReturn:
    """Become a further process of a container; `spaces` are its cgroup and mount namespaces, in this order."""

    def steps() -> None:
        last_capability = capabilities.last()
        tree.join(cgroup)
        process.set_oom_score(spec["oom_score_adj"])
        process.set_dumpable(False)
        _close_imports()
        for space in spaces:
            namespaces.setns(space)
            os.close(space)
        _run(spec, sync, stdio, last_capability, console=False)

    _guard(sync, stdio, spaces, steps)


def _guard(sync: socket.socket, stdio: list[int], keep: list[int], steps: Callable[[], None]) -> NoReturn:
    """Run `steps`, which end in exec; report what they raise."""
    try:
        gc.disable()
        _reset_signals()
        process.close_all_but([0, 1, 2, sync.fileno(), *stdio, *(item for item in keep if item >= 0)])
        os.setsid()
        steps()
    except StartError as error:
        wire.send(sync, {"error": str(error)})
    except BaseException as error:
        # the last frame of this process: nobody else would report it
        wire.send(sync, {"error": wire.describe(error)})
    os._exit(128)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _close_imports() -> None:
    sys.meta_path.clear()
    sys.path.clear()


def _run(spec: ProcessSpec, sync: socket.socket, stdio: list[int], last_capability: int, *, console: bool) -> None:
    """In the container's namespaces: terminal, environment, identity, exec."""
    if spec["tty"]:
        master, slave, path = terminal.open_pair("/dev/pts/ptmx")
        wire.send(sync, {"tty": path}, [master])
        os.close(master)
        if console:
            _bind_console(path)
        terminal.make_controlling(slave)
        stdio = [slave, slave, slave]
    for index, descriptor in enumerate(stdio):
        os.dup2(descriptor, index, inheritable=True)
    process.close_all_but([0, 1, 2, sync.fileno()])
    env = dict(spec["env"])
    uid, gid, groups, home = _resolve_user(spec["user"], spec["groups"])
    env.setdefault("PATH", _DEFAULT_PATH)
    env.setdefault("HOME", home)
    for kind, soft, hard in spec["rlimits"]:
        resource.setrlimit(kind, (soft, hard))
    if spec["tty"]:
        env.setdefault("TERM", "xterm")
        os.fchown(0, uid, -1)
    if console:
        os.makedirs(spec["cwd"], exist_ok=True)
    _become(spec, uid, gid, groups, last_capability)
    _execute(spec, env)


def _become(spec: ProcessSpec, uid: int, gid: int, groups: list[int], last_capability: int) -> None:
    """Take the identity: limits first, the right to set them last."""
    program = binascii.a2b_base64(spec["seccomp"])
    capabilities.limit_bounding(spec["capabilities"], last_capability)
    if program and not spec["no_new_privileges"]:  # needs SYS_ADMIN, which goes below
        process.load_seccomp(program)
    process.keep_capabilities()
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    try:
        os.chdir(spec["cwd"])
    except OSError as error:
        raise StartError(f"chdir to working directory {spec['cwd']!r}: {error.strerror}") from error
    capabilities.apply(spec["capabilities"])
    process.die_with_parent(signal.SIGKILL)
    if spec["no_new_privileges"]:
        process.forbid_new_privileges()
        if program:
            process.load_seccomp(program)


def _execute(spec: ProcessSpec, env: dict[str, str]) -> None:
    name = spec["args"][0]
    path = _find_program(name, env["PATH"])
    try:
        os.execve(path, spec["args"], env)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f'exec: "{name}": {reason}') from error


def _find_program(name: str, search: str) -> str:
    """The file that `name` means, as a shell finds it; StartError in the words container runtimes use."""
    own = os.stat("/proc/self/exe")
    candidates = [name] if "/" in name else [f"{entry or '.'}/{name}" for entry in search.split(":")]
    denied = ""
    for path in candidates:
        try:
            found = os.stat(path)
        except OSError as error:
            if "/" in name:
                raise StartError(f'exec: "{name}": stat {name}: {(error.strerror or "").lower()}') from error
            continue
        if stat.S_ISDIR(found.st_mode):
            denied = denied or "is a directory"
        elif (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
            denied = "permission denied: it is the runtime's own program"  # by way of /proc/self/exe
        elif not os.access(path, os.X_OK, effective_ids=True):
            denied = denied or "permission denied"
        else:
            return path
    raise StartError(f'exec: "{name}": {denied or "executable file not found in $PATH"}')


def _bind_console(path: str) -> None:
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    source = os.open(path, os.O_PATH | os.O_CLOEXEC)
    tree = mounts.clone_tree(source, recursive=False)
    target = mounts.make_in_root(root, "/dev/console", directory=False)
    mounts.attach(tree, target)
    for descriptor in (root, source, tree, target):
        os.close(descriptor)


def _read_table(path: str) -> list[list[str]]:
    """The lines of /etc/passwd or /etc/group as fields; an image may have neither."""
    try:
        with open(path, "rb") as file:
            text = file.read(4 << 20).decode(errors="surrogateescape")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return []
        raise
    return [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]


def _resolve_user(user: str, more_groups: list[int]) -> tuple[int, int, list[int], str]:
    """uid, gid, supplementary groups and home for '[user][:group]', names from the container's own tables."""
    user, _, group = user.partition(":")
    user = user or "0"
    numeric = user.isdigit()
    uid, gid, name, home = int(user) if numeric else -1, 0, "", "/"
    for entry in _read_table("/etc/passwd"):
        if len(entry) >= 6 and (entry[2] == user if numeric else entry[0] == user):
            name, uid, gid, home = entry[0], int(entry[2]), int(entry[3]), entry[5] or "/"
            break
    if uid < 0:
        raise StartError(f"unable to find user {user}: no matching entries in passwd file")
    groups = set(more_groups)
    table = [entry for entry in _read_table("/etc/group") if len(entry) >= 4 and entry[2].isdigit()]
    if name:
        groups.update(int(entry[2]) for entry in table if name in entry[3].split(","))
    if group.isdigit():
        gid = int(group)
    elif group:
        found = [int(entry[2]) for entry in table if entry[0] == group]
        if not found:
            raise StartError(f"unable to find group {group}: no matching entries in group file")
        gid = found[0]
    return uid, gid, sorted(groups), home
