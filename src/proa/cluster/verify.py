"""Proof that nothing is left: the machine's kernel objects before the cluster's first start and after its end.

What belongs to another proa cluster (by its name's hash) is left out; anything else that came or went in between is
listed, whoever made it. Not here: removing anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from proa.cluster import processes
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import Identity
from proa.cluster.settings import Settings, write_private
from proa.linux import cgroups
from proa.net import names, nft, rtnetlink

Machine = Mapping[str, tuple[str, ...]]
"""Kind of object to what there is of it, in words that say what changed."""

_SYSCTLS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet")
_GROUP = "proa/"
_MARK = re.compile(r"\b(?:proa-|pv|pn)([0-9a-f]{6})")
"""How a cluster's hash stands in the names of bridges, tables, pods' and nodes' links (`net.names`)."""

_DIRECTORIES = ("/run/netns", "/run/proa")


def remember(paths: ClusterPaths, settings: Settings) -> None:
    """Write down the machine as it is, unless that was done before for this cluster and holds: once in a boot."""
    boot = _boot_id()
    try:
        if json.loads(_snapshot(paths).read_bytes())["boot"] == [boot]:
            return
    except (FileNotFoundError, ValueError, KeyError):
        pass
    write_private(_snapshot(paths), json.dumps({"boot": [boot], **machine(paths, settings)}).encode())


def remembered(paths: ClusterPaths) -> Machine | None:
    """What `remember` saw in this boot, None when it did not."""
    try:
        found: dict[str, list[str]] = json.loads(_snapshot(paths).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if found.pop("boot", None) != [_boot_id()]:
        return None
    return {kind: tuple(objects) for kind, objects in found.items()}


def machine(paths: ClusterPaths, settings: Settings) -> Machine:
    """What the machine has of every kind a cluster makes, other clusters' objects left out.

    nft's tables need root; without it they are left out.
    """
    found: dict[str, Iterable[str]] = {
        "link": _links(),
        "route": _routes(),
        "mount": _mounts(),
        "cgroup": _cgroups(),
        "sysctl": (f"{name}={_read(Path('/proc/sys') / name)}" for name in _SYSCTLS),
        "file": _files(),
    }
    if nft.available() and os.geteuid() == 0:
        found["nft"] = asyncio.run(_rules())
    return {
        kind: tuple(sorted(each for each in objects if not _is_others(each, paths, settings)))
        for kind, objects in found.items()
    }


def processes_of(paths: ClusterPaths, settings: Settings) -> frozenset[Identity]:
    """Every process that belongs to the cluster now: its components, what descends from them, what is in its cgroup."""
    parents: dict[int, int] = {}
    found = {identity.pid for identity in processes.all_running(paths).values()}
    group = f"/{_GROUP}{settings.name}"
    for pid in _pids():
        try:
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        paths_in_trees = (line.split(":", 2)[2] for line in groups)
        if any(f"{path}/".startswith(f"{group}/") for path in paths_in_trees):
            found.add(pid)
    grew = True
    while grew:
        below = {pid for pid, parent in parents.items() if parent in found} - found
        grew = bool(below)
        found |= below
    return frozenset(identity for pid in found - {os.getpid()} if (identity := _identity(pid)) is not None)


def differences(
    paths: ClusterPaths,
    settings: Settings,
    before: Machine | None,
    ours: frozenset[Identity],
    *,
    purged: bool,
) -> tuple[str, ...]:
    """What is not as it was: `+` is there and was not, `-` the other way round. Empty: nothing is left over.

    Without knowledge of the time before, only what carries the cluster's name can be told.
    """
    after = machine(paths, settings)
    found: list[str] = []
    if before is None:
        mark = names.cluster_hash(settings.name)
        for kind, objects in after.items():
            found += [f"+ {kind} {each}" for each in objects if mark in each or f"proa/{settings.name}" in each]
    else:
        for kind in before.keys() & after.keys():
            old, new = set(before[kind]), set(after[kind])
            found += [f"+ {kind} {each}" for each in new - old]
            found += [f"- {kind} {each}" for each in old - new]
    found += [f"+ process {each.pid} {_command(each.pid)}" for each in ours if each.alive]
    if purged and paths.root.exists():
        found.append(f"+ file {paths.root}")
    return tuple(sorted(found))


def _is_others(words: str, paths: ClusterPaths, settings: Settings) -> bool:
    """Whether it carries the mark of another cluster and not ours."""
    marks = set(_MARK.findall(words))
    if words.startswith(_GROUP):
        return words != f"{_GROUP}{settings.name}"
    if words.startswith("/"):
        path = Path(words.partition(" ")[0])
        return not path.is_relative_to(paths.root) and any(
            os.path.exists(each / paths.settings.name) for each in path.parents
        )
    return bool(marks) and names.cluster_hash(settings.name) not in marks


def _links() -> Iterator[str]:
    with rtnetlink.Socket() as socket:
        for link in socket.links():
            yield f"{link.name} ({link.kind or 'physical'}{', up' if link.up else ''})"


def _routes() -> Iterator[str]:
    with rtnetlink.Socket() as socket:
        links = {link.index: link.name for link in socket.links()}
        for route in socket.routes():
            yield f"{route.destination} via {route.gateway or '-'} dev {links.get(route.link, route.link)}"


def _mounts() -> Iterator[str]:
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            yield f"{left.split()[4]} ({right.split()[0]})"


def _cgroups() -> Iterator[str]:
    tree = cgroups.detect()
    yield from (f"{_GROUP}{name}" for name in tree.children(_GROUP))


async def _rules() -> list[str]:
    """One line an object of the ruleset, without handles and counters, which say nothing about what it does."""
    found = []
    for entry in await nft.listing("ruleset"):
        (kind, body), *_ = entry.items()
        found.append(f"{kind} {json.dumps(_plain(body), sort_keys=True)}")
    return found


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in ("handle", "packets", "bytes", "index")}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _files() -> Iterator[str]:
    for directory in _DIRECTORIES:
        try:
            yield from (f"{directory}/{name}" for name in os.listdir(directory))
        except FileNotFoundError:
            continue


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _identity(pid: int) -> Identity | None:
    try:
        return Identity.of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _boot_id() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id"))


def _snapshot(paths: ClusterPaths) -> Path:
    return paths.root / "machine-before.json"
