"""Components as processes: who they are, that there is one of each, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proa.cluster import processes
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import AlreadyRunsError, Identity
from proa.cluster.settings import Settings

HOLD = """
import sys
from pathlib import Path
from proa.cluster import processes
from proa.cluster.paths import ClusterPaths
with processes.holding(ClusterPaths(Path(sys.argv[1])), "server"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths(tmp_path)


def test_a_server_comes_before_the_agents_of_its_nodes(paths: ClusterPaths) -> None:
    found = processes.components(paths, Settings(name="main", api_port=1, nodes=2))
    assert [each.name for each in found] == ["server", "agent-main-node-1", "agent-main-node-2"]
    assert [each.node for each in found] == ["", "main-node-1", "main-node-2"]
    assert found[0].arguments == ("server", "--name", "main", "--data-dir", str(paths.root))


def test_a_component_that_runs_is_found_and_there_is_only_one(paths: ClusterPaths) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(paths.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        found = processes.running(paths, "server")
        assert found is not None
        assert found.pid == holder.pid
        assert list(processes.all_running(paths)) == ["server"]
        with pytest.raises(AlreadyRunsError, match=f"process {holder.pid}"), processes.holding(paths, "server"):
            pass
        holder.communicate("")
    assert processes.running(paths, "server") is None
    with processes.holding(paths, "server"):
        assert processes.running(paths, "server") == Identity.of(os.getpid())


def test_a_pid_that_another_program_got_is_not_ours(paths: ClusterPaths) -> None:
    paths.run.mkdir()
    me = Identity.of(os.getpid())
    processes.pid_file(paths, "server").write_text(f"{me.pid} {me.started - 1}\n")
    assert processes.running(paths, "server") is None


def test_pids_from_before_a_reboot_are_forgotten(paths: ClusterPaths) -> None:
    processes.forget_last_boot(paths)
    me = Identity.of(os.getpid())
    processes.pid_file(paths, "server").write_text(f"{me.pid} {me.started}\n")
    processes.forget_last_boot(paths)
    assert processes.running(paths, "server") == me
    (paths.run / "boot").write_text("another\n")
    processes.forget_last_boot(paths)
    assert processes.running(paths, "server") is None


@pytest.mark.parametrize(("ignores", "clean"), [(False, True), (True, False)])
def test_a_process_is_asked_to_stop_and_then_made_to(ignores: bool, clean: bool) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if ignores else ""
    program = f"import signal; {ignore} print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.stop(Identity.of(process.pid), 0.2 if ignores else 10) is clean
        assert process.wait() == -(signal.SIGKILL if ignores else signal.SIGTERM)


def test_a_process_that_is_gone_needs_no_stopping() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        identity = Identity.of(process.pid)
    assert processes.stop(identity, 1)


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert processes.tail(log) == ""
    log.write_text("".join(f"{number}\n" for number in range(100)))
    assert processes.tail(log, 2) == "98\n99"
