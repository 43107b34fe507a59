"""Starting the host's programs in the background."""

from __future__ import annotations

import pytest

from proa.linux.daemon import Daemon


def test_a_daemon_can_be_ended() -> None:
    daemon = Daemon(["sleep", "1000"])
    assert daemon.poll() is None
    with pytest.raises(TimeoutError, match="still runs"):
        daemon.wait(0.01)
    daemon.signal(15)
    assert daemon.wait(10) == -15
