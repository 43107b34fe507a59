"""@kubernetes/client-node, unmodified, in a program of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.clients import programs
from tests.e2e.kubectl import Kubectl

HERE = Path(__file__).parent / "node"


def test_a_program_in_javascript_creates_watches_reads_and_runs(kubectl: Kubectl, tmp_path: Path) -> None:
    installed = programs.node_modules(HERE / "package-lock.json")
    shutil.copy(HERE / "session.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(installed / "node_modules")
    node = Path(sys.executable).parent / "node"
    result = subprocess.run(
        (str(node), "--preserve-symlinks", "session.mjs", str(kubectl.kubeconfig), kubectl.namespace),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "phases": ["Running", "Running"],
        "log": "started\n",
        "exec": "in the pod\n",
        "status": {"status": "Failure", "reason": "NonZeroExitCode", "code": "3"},
        "patched": {"a": "1", "b": "2"},
        "absent": 404,
    }
