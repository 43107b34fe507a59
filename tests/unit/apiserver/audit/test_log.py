"""The audit log's file."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proa.apiserver.audit.auditor import BATCH, BLOCKING, STRICT
from proa.apiserver.audit.log import LogBackend, RotatedFile, StandardOutput


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(days=1)
        return self.now


def rotated(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_events_are_lines_of_json_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "audit.log"
    backend = LogBackend(RotatedFile(path))
    for number in range(100):
        backend.write({"number": number})
    await backend.close()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == list(range(100))
    assert path.stat().st_mode & 0o077 == 0


async def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for number in range(2):
        backend = LogBackend(RotatedFile(path))
        backend.write({"number": number})
        await backend.close()
    assert len(path.read_text().splitlines()) == 2


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "audit.log", megabytes=1, now=Time())
    for _ in range(3):
        file.write(b"x" * 700_000)
    file.close()
    assert rotated(tmp_path) == ["audit-2026-01-02T00-00-00.000.log", "audit-2026-01-04T00-00-00.000.log", "audit.log"]


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "audit.log", megabytes=1, backups=2, now=Time())
    (tmp_path / "audit-notes.log").write_text("not ours")
    for _ in range(6):
        file.write(b"x" * 700_000)
    file.close()
    assert len(rotated(tmp_path)) == 4
    assert "audit-notes.log" in rotated(tmp_path)


def test_old_files_go(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "audit.log", megabytes=1, days=3, now=Time())
    for _ in range(8):
        file.write(b"x" * 700_000)
    file.close()
    assert len(rotated(tmp_path)) <= 3


def test_files_put_aside_can_be_compressed(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "audit.log", megabytes=1, compress=True, now=Time())
    for _ in range(2):
        file.write(b"x" * 700_000)
    file.close()
    (packed,) = (each for each in tmp_path.iterdir() if each.suffix == ".gz")
    assert gzip.decompress(packed.read_bytes()) == b"x" * 700_000


async def test_the_standard_output_will_do(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    backend = LogBackend(StandardOutput())
    backend.write({"a": 1})
    await backend.close()
    assert capfdbinary.readouterr().out == b'{"a":1}\n'


class Broken(StandardOutput):
    def write(self, lines: bytes) -> None:
        raise OSError("no space")


@pytest.mark.parametrize("mode", [BLOCKING, STRICT])
async def test_who_waits_is_told_when_the_line_is_there(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "audit.log"
    backend = LogBackend(RotatedFile(path), mode)
    written = backend.write({"number": 1})
    assert written is not None
    assert await written
    assert json.loads(path.read_text()) == {"number": 1}
    await backend.close()


@pytest.mark.parametrize(("mode", "may_go_on"), [(BLOCKING, True), (STRICT, False)])
async def test_only_a_strict_log_holds_up_what_it_cannot_write(mode: str, may_go_on: bool) -> None:
    backend = LogBackend(Broken(), mode)
    pending = [backend.write({"number": number}) for number in range(3)]
    assert [await each for each in pending if each is not None] == [may_go_on] * 3
    await backend.close()


async def test_nobody_waits_for_a_log_in_batches(tmp_path: Path) -> None:
    backend = LogBackend(RotatedFile(tmp_path / "audit.log"), BATCH)
    assert backend.write({"number": 1}) is None
    await backend.close()
