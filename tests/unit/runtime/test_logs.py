"""The CRI log format."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proa.runtime.logs import LIMIT, LogWriter

NOW = 1_767_225_600_000_000_123


def written(path: Path, chunks: list[bytes]) -> list[tuple[str, str, str, bytes]]:
    path.unlink(missing_ok=True)
    log = LogWriter(str(path), lambda: NOW)
    for chunk in chunks:
        log.write("stdout", chunk)
    log.finish("stdout")
    log.close()
    rows = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        time, stream, tag, text = line.split(b" ", 3)
        rows.append((time.decode(), stream.decode(), tag.decode(), text))
    return rows


def test_a_line_has_time_stream_and_tag(tmp_path: Path) -> None:
    assert written(tmp_path / "log", [b"hel", b"lo\n\nwor", b"ld"]) == [
        ("2026-01-01T00:00:00.000000123Z", "stdout", "F", b"hello"),
        ("2026-01-01T00:00:00.000000123Z", "stdout", "F", b""),
        ("2026-01-01T00:00:00.000000123Z", "stdout", "P", b"world"),
    ]


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 50_000).map(lambda size: b"x" * size), st.just(b"\n")))
)
def test_what_was_written_can_be_put_together_again(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        rows = written(Path(directory) / "log", chunks)
    assert all(len(text) <= LIMIT for _, _, _, text in rows)
    assert b"".join(text + (b"\n" if tag == "F" else b"") for _, _, tag, text in rows) == b"".join(chunks)


def test_a_reopened_log_goes_on_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "deep/down/log"
    log = LogWriter(str(path), lambda: NOW)
    log.write("stderr", b"one\n")
    path.rename(path.with_name("old"))
    log.reopen()
    log.write("stderr", b"two\n")
    log.close()
    assert path.read_bytes().endswith(b"stderr F two\n")


def test_without_a_path_nothing_is_kept() -> None:
    log = LogWriter("")
    log.write("stdout", b"gone\n")
    log.finish("stdout")
    log.close()
