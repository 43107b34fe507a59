"""The imports of a component are prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from proa.pki.certificates import create_authority


def test_only_the_default_of_aiohttp_goes_without_the_systems_authorities(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(create_authority("system", datetime.now(UTC)).certificate)
    program = """
import gc, ssl
from proa.cluster import imports
imports.prepare()
import aiohttp.connector
assert not gc.isenabled()
assert aiohttp.connector._SSL_CONTEXT_VERIFIED.verify_mode is ssl.CERT_REQUIRED
assert aiohttp.connector._SSL_CONTEXT_VERIFIED.get_ca_certs() == []
assert len(ssl.create_default_context().get_ca_certs()) == 1
"""
    environment = {**os.environ, "SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": str(tmp_path)}
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr


def test_the_environment_is_as_it_was() -> None:
    program = """
import os
from proa.cluster import imports
before = dict(os.environ)
imports.prepare()
assert dict(os.environ) == before
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    found = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
