# ruff: noqa: ASYNC221, ASYNC240 - a test may block
"""Packed and unpacked images as the kernel sees them: chroot runs the programs, overlayfs stacks the layers."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from proa.oci.pack import pack
from proa.oci.store import ImageStore
from proa.oci.unpack import unpack

CHROOT = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin") or "chroot"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot and mount need root"),
]


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    opened = ImageStore(tmp_path / "store")
    yield opened
    await opened.close()


def run(root: Path, *command: str, env: dict[str, str] | None = None) -> str:
    """Run a program of the image with the image as its root; nothing of the host is in sight."""
    done = subprocess.run([CHROOT, root, *command], capture_output=True, text=True, env=env or {}, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def packed(store: ImageStore, binaries: Sequence[str], add: Sequence[tuple[str, str]] = ()) -> Path:
    await pack(store, "packed:1", binaries, add=add, exclude=("test", "tests", "site-packages", "dist-packages"))
    (root,) = (await store.resolve("packed:1")).lowerdirs
    return root


async def test_packed_programs_of_the_host_run(store: ImageStore) -> None:
    root = await packed(store, ["/bin/echo", "sh", "ls", "cat", "id"])
    assert run(root, "/bin/echo", "hello") == "hello\n"
    assert run(root, "/bin/sh", "-c", "ls / | cat; id -un", env={"PATH": "/bin"}).splitlines()[-1] == "root"


async def test_a_packed_busybox_runs(store: ImageStore) -> None:
    busybox = next((p for p in ("/usr/bin/busybox", "/bin/busybox") if os.path.exists(p)), None)
    if busybox is None:
        pytest.skip("no busybox on this machine")
    root = await packed(store, [busybox])
    assert run(root, busybox, "sh", "-c", "echo $((6 * 7))") == "42\n"


@pytest.mark.parametrize("which", ["this", "system"])
async def test_a_packed_python_runs_with_its_standard_library(store: ImageStore, which: str) -> None:
    python = os.path.realpath(sys.executable) if which == "this" else "/usr/bin/python3"
    if not os.path.exists(python):
        pytest.skip(f"no {python} on this machine")
    asked = [python, "-Ic", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    stdlib = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    root = await packed(store, [python], [(stdlib, stdlib)])
    code = "import ssl, json, sqlite3, http.server, asyncio; print(ssl.OPENSSL_VERSION.split()[0], json.dumps([1]))"
    assert run(root, python, "-Ic", code) == "OpenSSL [1]\n"


async def test_names_resolve_inside_a_packed_image(store: ImageStore) -> None:
    """glibc loads its name-service modules by name; /etc/resolv.conf leads to a server of this test."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(("127.53.53.53", 53))
    except OSError:
        pytest.skip("port 53 cannot be bound here")
    server.settimeout(20)

    def answer() -> None:
        query, client = server.recvfrom(512)
        question = query[12:]
        header = query[:2] + bytes.fromhex("8180") + query[4:6] + bytes.fromhex("000100000000")
        question = question[: question.index(b"\0") + 5]
        record = bytes.fromhex("c00c00010001000000050004") + bytes([10, 1, 2, 3])
        server.sendto(header + question + record, client)

    thread = threading.Thread(target=answer)
    thread.start()
    root = await packed(store, ["getent"])
    (root / "etc/resolv.conf").write_text("nameserver 127.53.53.53\n")
    try:
        assert run(root, "/usr/bin/getent", "ahostsv4", "web.default").startswith("10.1.2.3 ")
    finally:
        thread.join()
        server.close()


def test_overlayfs_understands_the_whiteouts(tmp_path: Path) -> None:
    def layer(name: str, *members: tuple[str, bytes]) -> Path:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path, content in members:
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        unpack(io.BytesIO(out.getvalue()), tmp_path / name)
        return tmp_path / name

    base = layer("base", ("keep", b"1"), ("gone", b"2"), ("dir/old", b"3"), ("dir/older", b"4"))
    top = layer("top", (".wh.gone", b""), ("dir/.wh..wh..opq", b""), ("dir/new", b"5"))
    merged = tmp_path / "merged"
    merged.mkdir()
    # In a mount namespace of its own: nothing is left mounted, whatever happens.
    script = f"mount -t overlay overlay -o lowerdir={top}:{base} {merged} && cd {merged} && find . -type f | sort"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["./dir/new", "./keep"]
