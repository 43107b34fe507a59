"""`proa stop` and `proa down`: end the cluster's processes; with `down` also its pods and every kernel object."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from proa.cluster import processes, teardown, verify
from proa.cluster.paths import ClusterPaths, data_root
from proa.cluster.processes import PATIENCE, SERVER
from proa.cluster.settings import Settings

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Down:
    """stopped: components. undone: kernel objects. faults: what could not be. left: what `verify` found, or None."""

    stopped: tuple[str, ...]
    undone: int
    faults: tuple[str, ...]
    left: tuple[str, ...] | None


def stop(paths: ClusterPaths, tell: Tell) -> tuple[str, ...]:
    """End the server and the agents; pods keep running without anybody who looks after them."""
    began = time.monotonic()
    with processes.changing(paths):
        return _stop(paths, lambda words: tell(words, time.monotonic() - began))


def down(paths: ClusterPaths, settings: Settings, tell: Tell, *, purge: bool = False, check: bool = False) -> Down:
    """End everything, remove every kernel object; with `purge` also all data; with `check` prove it."""
    began = time.monotonic()

    def say(words: str) -> None:
        tell(words, time.monotonic() - began)

    with processes.changing(paths):
        ours = verify.processes_of(paths, settings) if check else frozenset()
        stopped = _stop(paths, say)
        result = teardown.undo(paths, settings)
        say(f"removed {result.undone} kernel objects and directories")
        before = verify.remembered(paths) if check else None
        for each in (paths.run,):
            shutil.rmtree(each, ignore_errors=True)
        if purge and not result.faults:
            _purge(paths, settings)
            say(f"removed {paths.root}")
    left = verify.differences(paths, settings, before, ours, purged=purge) if check else None
    return Down(stopped, result.undone, result.faults, left)


def _stop(paths: ClusterPaths, say: Callable[[str], None]) -> tuple[str, ...]:
    """Agents first: they still tell the server about their nodes."""
    alive = processes.all_running(paths)
    for name in sorted(alive, key=lambda each: each == SERVER):
        clean = processes.stop(alive[name])
        say(f"stopped {name}" if clean else f"killed {name}, which did not stop in {PATIENCE:.0f} s")
    return tuple(alive)


def _purge(paths: ClusterPaths, settings: Settings) -> None:
    known = data_root() / "clusters" / settings.name
    shutil.rmtree(paths.root)
    if known.is_symlink():
        known.unlink()
