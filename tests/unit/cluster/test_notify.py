"""Reports of a component to whoever started it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from proa.cluster.notify import VARIABLE, Listener, Notifier, Report


def test_a_step_reaches_who_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener()
    monkeypatch.setenv(VARIABLE, listener.environment[VARIABLE])
    notifier = Notifier("server", "api-ready")
    assert VARIABLE not in os.environ
    notifier.report("api-ready", {"url": "https://x"})
    assert listener.receive(1) == Report("server", "api-ready", {"url": "https://x"})
    assert listener.receive(1) is None  # READY=1, which is systemd's
    assert listener.receive(0) is None
    listener.close()
    notifier.report("late", {})
    notifier.close()


def test_systemd_hears_ready_once_at_the_step_that_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(1)
        monkeypatch.setenv(VARIABLE, str(tmp_path / "notify"))
        notifier = Notifier("agent-a", "node-ready")
        notifier.report("dns-ready", {})
        notifier.report("node-ready", {})
        notifier.stopping()
        notifier.close()
        said = [systemd.recv(4096).decode() for _ in range(4)]
    assert [each.partition("\n")[0] for each in said] == [
        "STATUS=dns-ready",
        "STATUS=node-ready",
        "READY=1",
        "STOPPING=1",
    ]


def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    Notifier("server", "x").report("x", {})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    Notifier("server", "x").report("x", {})
