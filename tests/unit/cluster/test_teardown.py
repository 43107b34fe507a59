"""Undoing what journals name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proa.cluster import teardown
from proa.cluster.journal import FileJournal, Mark, marks
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import Identity
from proa.cluster.settings import Settings

SETTINGS = Settings(name="undone", api_port=1)


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths(tmp_path)


def record(paths: ClusterPaths, *found: Mark, node: str = "n1") -> Path:
    path = paths.node(node) / "journal"
    journal = FileJournal(path)
    for mark in found:
        journal.record(*mark)
    journal.close()
    return path


def test_every_node_s_journal_counts(paths: ClusterPaths) -> None:
    first, second = record(paths, node="n1"), record(paths, node="n2")
    assert teardown.journals(paths) == (first, second)


def test_directories_go_and_the_journal_with_them(paths: ClusterPaths) -> None:
    directory = paths.root / "state"
    (directory / "below").mkdir(parents=True)
    journal = record(paths, Mark("directory", str(directory)), Mark("directory", str(paths.root / "never-made")))
    assert teardown.undo(paths, SETTINGS) == teardown.Undone(2, ())
    assert not directory.exists()
    assert not journal.exists()


def test_a_process_is_killed_by_pid_and_start_time(paths: ClusterPaths) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        started = Identity.of(process.pid).started
        file = paths.root / "shim.pid"
        file.write_text(f"{process.pid} {started}")
        me = Identity.of(os.getpid())
        record(paths, Mark("process", str(file)), Mark("process", f"{me.pid} {me.started - 1}"))
        assert teardown.undo(paths, SETTINGS).undone == 2
        assert process.wait() == -9


def test_what_it_does_not_know_is_reported_and_kept(paths: ClusterPaths) -> None:
    journal = record(paths, Mark("wormhole", "x"), Mark("directory", str(paths.root / "gone")))
    found = teardown.undo(paths, SETTINGS)
    assert found.undone == 1
    assert found.faults[0].startswith("wormhole x: do not know how to undo")
    assert marks(journal) == [Mark("wormhole", "x")]


def test_a_dead_cluster_loses_kernel_objects_and_keeps_its_directories(paths: ClusterPaths) -> None:
    directory = paths.root / "sandboxes"
    directory.mkdir()
    journal = record(paths, Mark("directory", str(directory)), Mark("process", str(directory / "shim.pid")))
    assert teardown.reap(paths, SETTINGS) == 1
    assert directory.exists()
    assert marks(journal) == [Mark("directory", str(directory))]


def test_a_cluster_with_a_shim_that_lives_is_not_dead(paths: ClusterPaths) -> None:
    me = Identity.of(os.getpid())
    journal = record(paths, Mark("process", f"{me.pid} {me.started}"), Mark("link", "none0"))
    assert teardown.reap(paths, SETTINGS) == 0
    assert len(marks(journal)) == 2


def test_mounts_are_undone_from_the_inside_out() -> None:
    order = sorted(
        (Mark("mount", "/a"), Mark("link", "l"), Mark("mount", "/a/b"), Mark("process", "1 1")), key=teardown._order
    )
    assert [each.identity for each in order] == ["1 1", "l", "/a/b", "/a"]
