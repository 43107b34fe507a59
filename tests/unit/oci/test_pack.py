# ruff: noqa: ASYNC240 - a test may block
from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from proa.oci import elf
from proa.oci.errors import PackError
from proa.oci.pack import pack, plan
from proa.oci.store import ImageStore
from proa.oci.tree import Tree


async def test_a_program_comes_with_its_loader_libraries_and_a_minimal_etc(store: ImageStore) -> None:
    await pack(store, "echo:1", ["/bin/echo"])
    found = await store.resolve("echo:1")
    (root,) = found.lowerdirs
    binary = elf.read("/bin/echo")
    assert found.config.entrypoint == ("/bin/echo",)
    assert dict(found.config.env)["PATH"]
    assert (root / "etc/passwd").read_text().startswith("root:x:0:0:")
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    for library in elf.libraries(binary):
        assert (root / os.path.realpath(library.path).lstrip("/")).is_file()
    assert (root / os.path.realpath(binary.interpreter).lstrip("/")).is_file()
    if os.path.islink("/bin"):
        assert os.readlink(root / "bin") == os.readlink("/bin")


async def test_the_same_inputs_give_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        store = ImageStore(tmp_path / str(number))
        digests.add((await pack(store, "sh:1", ["sh", "/bin/cat"], env=[("A", "1")])).manifest_digest)
        await store.close()
    assert len(digests) == 1


async def test_how_to_run_is_what_was_asked_for(store: ImageStore) -> None:
    await pack(
        store, "x:1", ["/bin/sh"], entrypoint=["/bin/sh", "-c"], cmd=["id"], env=[("PATH", "/x"), ("A", "b=c")],
        user="65534", working_dir="/tmp",
    )  # fmt: skip
    config = (await store.resolve("x:1")).config
    assert (config.entrypoint, config.cmd, config.user) == (("/bin/sh", "-c"), ("id",), "65534")
    assert config.env == (("PATH", "/x"), ("A", "b=c"))
    assert config.working_dir == "/tmp"


def test_a_script_brings_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/env sh\n")
    script.chmod(0o755)
    tree, paths = plan([str(script)], [], [])
    assert paths == [str(script)]
    assert "/usr/bin/env" in tree
    assert os.path.realpath("/bin/sh") in tree


def test_added_directories_keep_links_and_leave_out_what_is_excluded(tmp_path: Path) -> None:
    (tmp_path / "site/__pycache__").mkdir(parents=True)
    (tmp_path / "site/__pycache__/x.pyc").write_bytes(b"")
    (tmp_path / "site/sub").mkdir()
    (tmp_path / "site/sub/page").write_text("page")
    (tmp_path / "site/link").symlink_to("sub/page")
    tree, _ = plan(
        [], [(str(tmp_path / "site"), "/srv/www"), (str(tmp_path / "site/sub/page"), "/etc/")], ["__pycache__"]
    )
    assert "/srv/www/sub/page" in tree
    assert "/srv/www/link" in tree
    assert "/etc/page" in tree
    assert "/srv/www/__pycache__" not in tree


@pytest.mark.skipif(sys.platform != "linux", reason="ELF")
def test_libraries_of_added_extension_modules_come_along(tmp_path: Path) -> None:
    import _ssl

    tree, _ = plan([], [(_ssl.__file__, "/opt/")], [])
    libraries = [library.path for library in elf.libraries(elf.read(_ssl.__file__))]
    assert any("ssl" in path for path in libraries)
    assert all(os.path.realpath(path) in tree for path in libraries)


@pytest.mark.parametrize(
    ("binaries", "add", "message"),
    [
        ([], [], "nothing to pack"),
        (["no-such-program"], [], "not found on PATH"),
        (["/no/such"], [], "not a file"),
        (["/etc/passwd"], [], "not executable"),
        ([], [("/absent", "/x")], "neither a file nor a directory"),
        ([], [("/etc/passwd", "x")], "absolute"),
    ],
)
def test_what_cannot_be_packed_is_named(binaries: list[str], add: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(PackError, match=message):
        plan(binaries, add, [])


def test_a_damaged_elf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(Path("/bin/sh").read_bytes()[:200])
    path.chmod(0o755)
    with pytest.raises(PackError, match="not a readable ELF"):
        plan([str(path)], [], [])


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf, "_matching", lambda path, _: None)
    with pytest.raises(PackError, match=r"shared library libc\.so"):
        plan(["/bin/sh"], [], [])


def test_a_path_through_a_link_of_the_tree_lands_behind_it() -> None:
    tree = Tree()
    tree.link("/bin", "usr/bin")
    tree.text("/bin/x", "content")
    assert "/usr/bin/x" in tree


def test_a_file_cannot_hide_a_directory() -> None:
    tree = Tree()
    tree.text("/a/b", "")
    with pytest.raises(PackError, match="directory already"):
        tree.text("/a", "")
    with pytest.raises(PackError, match="is a file"):
        tree.text("/a/b/c", "")
