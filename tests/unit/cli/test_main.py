"""The command line's own promises: help, exit codes, errors in a line, and nothing imported in vain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proa.cli.main import COMMANDS, cli, describe
from proa.oci.errors import ImageNotFoundError


def proa(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "proa.cli.main", *arguments),
        capture_output=True,
        text=True,
        env={**os.environ, "PROA_DATA_ROOT": str(root), "HOME": str(root), "KUBECONFIG": ""},
    )


def test_help_lists_every_command_without_importing_any() -> None:
    program = """
import sys
from proa.cli.main import cli
cli.main(["--help"], standalone_mode=False)
assert not {"aiohttp", "numpy", "msgspec", "yaml", "asyncio", "ssl"} & set(sys.modules), set(sys.modules)
"""
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert all(f"  {name} " in found.stdout for name, _, _ in COMMANDS)


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_every_command_in_the_table_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([name, "--help"], standalone_mode=False)
    assert f"{name} [OPTIONS]" in capsys.readouterr().out


def test_kubectl_get_does_without_the_heavy_libraries() -> None:
    program = """
import sys
import proa.cli.kubectl, proa.kubectl.verbs.get
assert not {"aiohttp", "numpy", "asyncio", "uvloop"} & set(sys.modules)
"""
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_up_starts_its_server_before_it_loads_what_later_steps_need() -> None:
    program = """
import sys
import proa.cli.up, proa.cluster.up
assert not {"asyncio", "cryptography", "http.client", "ssl", "yaml"} & set(sys.modules)
"""
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_a_server_starts_without_what_only_some_clusters_need() -> None:
    program = """
import sys
import proa.cli.server, proa.cluster.server
assert not {"aiohttp.web", "numpy", "re2", "yaml", "zoneinfo"} & set(sys.modules)
late = "proa.lang.cel", "proa.machinery.structural", "proa.machinery.openapi", "proa.apiserver.audit", "proa.scheduler"
assert not [each for each in sys.modules if each.startswith(late)]
"""
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing",), 2, "No such command"),
        (("status", "--name", "No"), 2, "invalid cluster name"),
        (("status",), 1, "proa: error: there is no cluster 'proa'"),
        (("image", "rm", "none:1"), 1, "proa: error: "),
        (("kubectl", "get", "pods", "--kubeconfig", "/nowhere"), 1, "no such file"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    found = proa(*arguments, root=tmp_path)
    assert found.returncode == code
    assert words in found.stderr
    assert "Traceback" not in found.stderr
    assert code == 2 or len(found.stderr.splitlines()) == 1


def test_errors_of_the_system_and_bugs_are_told_apart() -> None:
    assert describe(ImageNotFoundError("no such image")) == "no such image"
    assert describe(ExceptionGroup("several", [OSError(2, "gone", "/x")])) == "[Errno 2] gone: '/x'"
    assert describe(KeyError("x")) == "KeyError: 'x'"


def test_doctor_and_version_speak_json(tmp_path: Path) -> None:
    found = json.loads(proa("doctor", "-o", "json", root=tmp_path).stdout)
    assert {each["level"] for each in found["checks"]} <= {"ok", "less", "bad"}
    assert json.loads(proa("version", "-o", "json", root=tmp_path).stdout)["kubernetes"].startswith("v1.36.")
