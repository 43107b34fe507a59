from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oci_builders import digest, directory, hardlink, layer, member, symlink

from proa.oci.errors import CorruptContentError, ImageError, UnsafeLayerError
from proa.oci.unpack import Unpacked, unpack

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


def unpacked(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    unpack(io.BytesIO(layer(*members)), tmp_path / "layer")
    return tmp_path / "layer"


def refused(tmp_path: Path, match: str, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(UnsafeLayerError, match=match):
        unpacked(tmp_path, *members)
    assert list(outside.iterdir()) == []


def test_files_directories_and_links_come_out_as_they_went_in(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        directory("etc", mode=0o750, mtime=1000),
        member("etc/file", b"content", mode=0o4711, mtime=1234.5),
        symlink("etc/absolute", "/etc/file"),
        hardlink("etc/second", "etc/file"),
        member("implied/parent/x", b""),
        member("fifo", type=tarfile.FIFOTYPE, mode=0o600),
    )
    status = (root / "etc/file").stat()
    assert (root / "etc/file").read_bytes() == b"content"
    assert stat.S_IMODE(status.st_mode) == 0o4711
    assert status.st_mtime == 1234.5
    assert status.st_nlink == 2
    assert (root / "etc/second").samefile(root / "etc/file")
    assert os.readlink(root / "etc/absolute") == "/etc/file"
    assert stat.S_IMODE((root / "etc").stat().st_mode) == 0o750
    assert (root / "etc").stat().st_mtime == 1000
    assert (root / "implied/parent/x").exists()
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)


@pytest.mark.parametrize("form", ["plain", "gzip", "members", "zstd"])
def test_every_compression_gives_the_same_diff_id(tmp_path: Path, form: str) -> None:
    from backports import zstd

    plain = layer(member("big", os.urandom(700_000)), member("small", b"x"))
    half = len(plain) // 2
    data = {
        "plain": plain,
        "gzip": gzip.compress(plain),
        "members": gzip.compress(plain[:half]) + gzip.compress(plain[half:]),
        "zstd": zstd.compress(plain),
    }[form]
    done = unpack(io.BytesIO(data), tmp_path / "layer")
    assert done == Unpacked(digest(plain), 700_001, 2)
    assert (tmp_path / "layer/big").stat().st_size == 700_000


def test_sparse_files_keep_their_holes_and_size(tmp_path: Path) -> None:
    import subprocess

    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.seek(5_000_000)
        file.write(b"end")
    archive = subprocess.run(["tar", "-S", "-cC", tmp_path, "sparse"], check=True, capture_output=True).stdout
    unpack(io.BytesIO(archive), tmp_path / "layer")
    assert (tmp_path / "layer/sparse").read_bytes() == source.read_bytes()
    assert (tmp_path / "layer/sparse").stat().st_blocks * 512 < 100_000


@AS_ROOT
def test_owners_and_capabilities_are_kept(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    headers = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")}
    root = unpacked(
        tmp_path,
        member("ping", b"#!", uid=12, gid=34, mode=0o755, pax_headers=headers),
        member("link", type=tarfile.SYMTYPE, linkname="ping", uid=5, gid=6),
    )
    assert (root / "ping").stat().st_uid == 12
    assert (root / "ping").stat().st_gid == 34
    assert os.getxattr(root / "ping", "security.capability") == capability
    assert (root / "link").lstat().st_uid == 5


@AS_ROOT
def test_a_layer_cannot_set_overlay_xattrs(tmp_path: Path) -> None:
    root = unpacked(tmp_path, directory("d", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/etc"}))
    assert os.listxattr(root / "d") == []


@AS_ROOT
def test_whiteouts_take_the_form_overlayfs_knows(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        member("gone/.wh.file"),
        directory("opaque"),
        member("opaque/.wh..wh..opq"),
        member("opaque/new", b"x"),
        member(".wh..wh.plnk"),
    )
    status = (root / "gone/file").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert os.getxattr(root / "opaque", "trusted.overlay.opaque") == b"y"
    assert (root / "opaque/new").exists()
    assert not list(root.rglob(".wh.*"))


@AS_ROOT
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_directory_in_the_place_of_a_whiteout_hides_what_was_below(tmp_path: Path, order: tuple[int, int]) -> None:
    members = [member(".wh.d"), directory("d")]
    root = unpacked(tmp_path, *(members[n] for n in order), member("d/new", b"x"))
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    assert [path.name for path in (root / "d").iterdir()] == ["new"]


def test_a_file_wins_over_a_whiteout_of_the_same_layer(tmp_path: Path) -> None:
    root = unpacked(tmp_path, member(".wh.a"), member("a", b"new"), member("b", b"new"), member(".wh.b"))
    assert (root / "a").read_bytes() == (root / "b").read_bytes() == b"new"


def test_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        member("a/old", b"1"),
        member("a", b"file"),
        member("b", b"file"),
        directory("b"),
        member("b/new", b"2"),
        symlink("c", "/elsewhere"),
        member("c", b"3"),
    )
    assert (root / "a").read_bytes() == b"file"
    assert (root / "b/new").read_bytes() == b"2"
    assert not (root / "c").is_symlink()


def test_a_name_with_dots_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, r"'\.\.'", member("a/../../outside/x", b"evil"))


def test_an_absolute_name_stays_inside(tmp_path: Path) -> None:
    root = unpacked(tmp_path, member("/etc/x", b"in"))
    assert (root / "etc/x").read_bytes() == b"in"


@pytest.mark.parametrize("target", ["/outside", "../outside", "../../../../../../outside", "{tmp}/outside"])
def test_a_symlink_is_followed_inside_the_layer_only(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = unpacked(
        tmp_path, symlink("link", target.format(tmp=tmp_path)), member("link/x", b"evil"), member("link/y", b"evil")
    )
    assert list(outside.iterdir()) == []
    assert len(list(root.rglob("x"))) == 1


def test_a_symlink_swapped_in_for_a_directory_does_not_lead_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = unpacked(tmp_path, member("d/a", b"1"), symlink("d", str(outside)), member("d/x", b"evil"))
    assert list(outside.iterdir()) == []
    assert len(list(root.rglob("x"))) == 1


def test_symlinks_in_a_circle_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "too many symbolic links", symlink("a", "b"), symlink("b", "a"), member("a/x", b""))


@pytest.mark.parametrize("target", ["/etc/passwd", "missing"])
def test_a_hard_link_to_what_the_layer_lacks_is_refused(tmp_path: Path, target: str) -> None:
    refused(tmp_path, "does not hold", hardlink("stolen", target))


def test_a_hard_link_with_dots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    refused(tmp_path, r"'\.\.'", hardlink("stolen", "../secret"))


def test_a_hard_link_does_not_follow_a_symlink(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    root = unpacked(tmp_path, symlink("link", str(secret)), hardlink("stolen", "link"))
    assert secret.stat().st_nlink == 1
    assert (root / "stolen").is_symlink()


@pytest.mark.parametrize("name", [".wh.", ".wh...", "a/.wh.."])
def test_a_whiteout_of_no_file_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, "whiteout must name a file", member(name))


def test_a_file_as_a_parent_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "not a directory", member("f", b"x"), member("f/x", b"y"))


def test_a_device_is_refused_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused(tmp_path, "only be made by root", member("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0))


@AS_ROOT
def test_a_device_is_made_as_root(tmp_path: Path) -> None:
    root = unpacked(tmp_path, member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666))
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE((root / "null").stat().st_mode) == 0o666


@pytest.mark.parametrize("cut", [100, 600, 5000])
def test_a_truncated_layer_is_refused(tmp_path: Path, cut: int) -> None:
    data = gzip.compress(layer(member("x", os.urandom(10_000))))
    with pytest.raises(CorruptContentError):
        unpack(io.BytesIO(data[:cut]), tmp_path / "layer")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptContentError, match="not a tar archive"):
        unpack(io.BytesIO(b"hello " * 1000), tmp_path / "layer")


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq"]), min_size=1, max_size=4).map(
    "/".join
)
ENTRIES = st.lists(
    st.one_of(
        st.builds(member, NAMES, st.just(b"x")),
        st.builds(directory, NAMES),
        st.builds(symlink, NAMES, NAMES),
        st.builds(hardlink, NAMES, NAMES),
    ),
    max_size=8,
)


@given(ENTRIES)
def test_no_sequence_of_entries_leaves_the_layer(
    tmp_path_factory: Any, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("hostile")
    with contextlib.suppress(UnsafeLayerError):
        unpacked(tmp_path, *entries)
    assert {path.name for path in tmp_path.iterdir()} <= {"layer"}


def test_a_full_disk_is_not_blamed_on_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ImageError, match="No space left") as caught:
        unpacked(tmp_path, member("x", b"content"))
    assert not isinstance(caught.value, CorruptContentError)
