"""Removing what a cluster left in the kernel, from its journals alone: no component runs any more.

Each process that makes objects has a journal; what still stands in them is undone kind by kind, in an order in which
nothing is held by something that comes later. An object that is gone already counts as undone: the journal is written
before the object is made. Not here: finding what no journal knows (`verify`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from proa.base.errors import ProaError
from proa.cluster.journal import Mark, marks
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import Identity
from proa.cluster.settings import Settings
from proa.linux import cgroups, mounts

KERNEL_KINDS = ("process", "cgroup", "link", "route", "nft-table", "mount", "netns")
"""What is gone after a reboot, in the order it is undone: what runs, what it is held in, what it talks through."""

KINDS = (*KERNEL_KINDS, "sysctl", "directory")


class UnknownMarkError(ProaError):
    """A journal names something this version does not know how to undo."""


@dataclass(frozen=True, slots=True)
class Undone:
    """undone: how many objects are gone. faults: those that are not, and why."""

    undone: int
    faults: tuple[str, ...]


def journals(paths: ClusterPaths) -> tuple[Path, ...]:
    """Every journal of the cluster: the server's, and one of each node."""
    return tuple(each for each in (paths.journal, *sorted(paths.root.glob("nodes/*/journal"))) if each.exists())


def undo(paths: ClusterPaths, settings: Settings, kinds: Iterable[str] = KINDS) -> Undone:
    """Undo every mark of these kinds; the journals keep what could not be undone, and the other kinds."""
    wanted = tuple(kinds)
    undone, faults = 0, list[str]()
    found = [(journal, mark) for journal in journals(paths) for mark in marks(journal)]
    left = dict.fromkeys(found)
    for journal, mark in sorted(found, key=lambda each: _order(each[1])):
        if mark.kind in KINDS and mark.kind not in wanted:
            continue
        try:
            _UNDO.get(mark.kind, _unknown)(mark, settings)
        except (OSError, ProaError, ValueError) as error:
            faults.append(f"{mark.kind} {mark.identity}: {error}")
            continue
        undone += 1
        del left[journal, mark]
    for journal in journals(paths):
        _rewrite(journal, [mark for each, mark in left if each == journal])
    return Undone(undone, tuple(faults))


def reap(paths: ClusterPaths, settings: Settings) -> int:
    """Remove a dead cluster's kernel objects, when no shim of it lives that an agent could find again.

    Directories and settings of the kernel stay: they are the cluster's, which is about to come back.
    """
    found = [mark for journal in journals(paths) for mark in marks(journal)]
    if not found or any(_alive(mark) for mark in found if mark.kind == "process"):
        return 0
    return undo(paths, settings, KERNEL_KINDS).undone


def _order(mark: Mark) -> tuple[int, int]:
    """Mounts are undone from the inside out, everything else kind by kind."""
    kind = KINDS.index(mark.kind) if mark.kind in KINDS else len(KINDS)
    return kind, -mark.identity.count("/")


def _rewrite(journal: Path, left: list[Mark]) -> None:
    if not left:
        journal.unlink()
        return
    temporary = journal.with_suffix(".new")
    temporary.write_text("".join(f"+ {mark.kind} {mark.identity}\n" for mark in left))
    temporary.replace(journal)


# How each kind is undone. An identity's form is its recorder's.


def _identity(mark: Mark) -> Identity | None:
    """A process is named by `<pid> <start time>`, or by the file that holds these."""
    text = mark.identity
    if text.startswith("/"):
        try:
            text = Path(text).read_text()
        except FileNotFoundError:
            return None
    try:
        pid, started = map(int, text.split())
    except ValueError:
        return None  # torn while it was written: its process is in the cgroup recorded before it
    return Identity(pid, started)


def _alive(mark: Mark) -> bool:
    identity = _identity(mark)
    return identity is not None and identity.alive


def _process(mark: Mark, _: Settings) -> None:
    identity = _identity(mark)
    if identity is None:
        return
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    try:
        if identity.alive:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def _cgroup(mark: Mark, _: Settings) -> None:
    tree = cgroups.detect()
    tree.kill(mark.identity)
    tree.remove(mark.identity)
    top = mark.identity.partition("/")[0]
    if top != mark.identity:
        tree.remove_if_empty(top)


def _link(mark: Mark, settings: Settings) -> None:
    from proa.net import firewall, names, nft, rtnetlink
    from proa.net.protocol import NetworkConfig

    if mark.identity == names.bridge(settings.name) and nft.available():
        # The rules among others' that let this link's traffic pass carry its name.
        cidr = IPv4Network(settings.pod_cidr)
        asyncio.run(firewall.close_forwarding(NetworkConfig(settings.name, cidr, cidr, Path("/"))))
    with rtnetlink.Socket() as socket:
        _tolerate(lambda: socket.send(rtnetlink.delete_link(mark.identity)), errno.ENODEV)


def _route(mark: Mark, _: Settings) -> None:
    """`<network> via <gateway>`."""
    from proa.net import rtnetlink

    network, _via, gateway = mark.identity.partition(" via ")
    route = rtnetlink.Route(IPv4Network(network), gateway=IPv4Address(gateway) if gateway else None)
    with rtnetlink.Socket() as socket:
        _tolerate(lambda: socket.send(rtnetlink.delete_route(route)), errno.ESRCH)


def _nft_table(mark: Mark, _: Settings) -> None:
    """`<family> <table>`."""
    from proa.net import nft

    family, _space, table = mark.identity.partition(" ")
    asyncio.run(nft.delete_table(family, table))


def _mount(mark: Mark, _: Settings) -> None:
    _tolerate(lambda: mounts.unmount(mark.identity, detach=True), errno.ENOENT, errno.EINVAL)


def _netns(mark: Mark, _: Settings) -> None:
    """A file on which a network namespace is mounted."""
    _tolerate(lambda: mounts.unmount(mark.identity, detach=True), errno.ENOENT, errno.EINVAL)
    Path(mark.identity).unlink(missing_ok=True)


def _sysctl(mark: Mark, _: Settings) -> None:
    """`<name>=<value before>`."""
    name, _equals, before = mark.identity.partition("=")
    (Path("/proc/sys") / name.replace(".", "/")).write_text(before)


def _directory(mark: Mark, _: Settings) -> None:
    path = Path(mark.identity)
    for below in _mounts_below(path):
        mounts.unmount(below, detach=True)
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return


def _unknown(mark: Mark, _: Settings) -> None:
    raise UnknownMarkError(f"do not know how to undo a {mark.kind}: a newer proa wrote this; remove it by hand")


_UNDO: dict[str, Callable[[Mark, Settings], None]] = {
    "process": _process,
    "cgroup": _cgroup,
    "link": _link,
    "route": _route,
    "nft-table": _nft_table,
    "mount": _mount,
    "netns": _netns,
    "sysctl": _sysctl,
    "directory": _directory,
}


def _mounts_below(path: Path) -> Iterator[str]:
    """Innermost first, so that nothing that is mounted is ever deleted through."""
    with open("/proc/self/mountinfo") as file:
        targets = [line.split()[4].encode().decode("unicode_escape") for line in file]
    prefix = f"{path}/"
    return reversed([target for target in targets if target.startswith(prefix) or target == str(path)])


def _tolerate(action: Callable[[], object], *numbers: int) -> None:
    try:
        action()
    except OSError as error:
        if error.errno not in numbers:
            raise
