"""Teardown of real kernel objects, by journals alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.cluster import teardown, verify
from proa.cluster.journal import FileJournal
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import Identity
from proa.cluster.settings import Settings
from proa.linux import cgroups, mounts
from proa.net import names, nft, rtnetlink

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(name=f"td{os.getpid()}", api_port=1)
    yield settings
    teardown.undo(ClusterPaths(tmp_path), settings)


def test_a_dead_cluster_s_objects_are_gone_and_that_can_be_proven(tmp_path: Path, settings: Settings) -> None:
    paths = ClusterPaths(tmp_path)
    before = verify.machine(paths, settings)
    journal = FileJournal(paths.node("n1") / "journal")
    bridge, group = names.bridge(settings.name), f"proa/{settings.name}"
    inside, table = tmp_path / "mounted", names.table(settings.name, "net")
    inside.mkdir()
    for mark in (
        ("directory", str(inside)),
        ("cgroup", group),
        ("link", bridge),
        ("nft-table", f"ip {table}"),
        ("mount", str(inside)),
    ):
        journal.record(*mark)
    tree = cgroups.detect()
    tree.create(group, {})
    with rtnetlink.Socket() as socket:
        socket.send(rtnetlink.new_bridge(bridge, 1500))
    asyncio.run(nft.apply(f"table ip {table} {{\nchain c {{\n}}\n}}\n"))
    mounts.mount("tmpfs", str(inside), "tmpfs")
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        tree.join(group, process.pid)
        ours = frozenset((Identity.of(process.pid),))
        made = verify.differences(paths, settings, before, ours, purged=False)
        kinds = {each.split()[1] for each in made}
        assert {"cgroup", "link", "nft", "mount", "process"} <= kinds
        journal.close()
        found = teardown.undo(paths, settings)
        assert found == teardown.Undone(5, ())
        assert process.wait() == -9
    left = verify.differences(paths, settings, before, ours, purged=False)
    assert [each for each in left if settings.name in each or names.cluster_hash(settings.name) in each] == []
    assert not inside.exists()
    assert not teardown.journals(paths)


def test_a_sysctl_gets_its_value_back(tmp_path: Path, settings: Settings) -> None:
    path = Path("/proc/sys/net/ipv4/conf/lo/route_localnet")
    before = path.read_text().strip()
    journal = FileJournal(tmp_path / "journal")
    journal.record("sysctl", f"net.ipv4.conf.lo.route_localnet={before}")
    journal.close()
    path.write_text("1" if before == "0" else "0")
    assert teardown.undo(ClusterPaths(tmp_path), settings).undone == 1
    assert path.read_text().strip() == before
