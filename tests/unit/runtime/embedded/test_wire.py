"""Messages between agent, zygote and shim."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.runtime.embedded import wire

MESSAGES = st.lists(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.none(), st.lists(st.text()))))


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 50), min_size=1))
def test_messages_survive_any_cutting(messages: list[wire.Message], cuts: list[int]) -> None:
    data = b"".join(map(wire.encode, messages))
    decoder, found, index = wire.Decoder(), [], 0
    while data:
        size = cuts[index % len(cuts)]
        index += 1
        found += decoder.feed(data[:size])
        data = data[size:]
    assert found == messages


def test_a_peer_that_speaks_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="are allowed"):
        wire.Decoder().feed(b"GET / HTTP/1.1\r\n")


def test_descriptors_travel_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    one, two = socket.socketpair()
    with one, two, open(tmp_path / "file") as file:
        wire.send(one, {"op": "take"}, [file.fileno()])
        data, descriptors = wire.receive_some(two)
    assert wire.Decoder().feed(data) == [{"op": "take"}]
    (descriptor,) = descriptors
    assert not os.get_inheritable(descriptor)
    assert os.read(descriptor, 100) == b"content"
    os.close(descriptor)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    wire.write_atomically(str(path), b"one")
    wire.write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
