"""SPDY/3.1 frames survive the wire, however it cuts them."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.kubelet import spdy

FRAMES: list[spdy.Frame] = [
    spdy.SynStream(1, {"streamtype": "error", "port": "8080", "requestid": "0"}),
    spdy.SynStream(3, {"streamtype": "data", "port": "8080", "requestid": "0"}, fin=True),
    spdy.SynReply(1, {}),
    spdy.Headers(1, {"a": "b"}),
    spdy.Data(3, b"hello", fin=True),
    spdy.ResetStream(3, spdy.CANCEL),
    spdy.WindowUpdate(3, 65536),
    spdy.Ping(7),
    spdy.GoAway(3),
    spdy.Settings({7: 65536}),
]


def test_the_dictionary_is_the_specifications() -> None:
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_every_frame_comes_back_in_order_with_one_header_stream() -> None:
    sender, receiver = spdy.Framer(), spdy.Framer()
    wire = b"".join(sender.encode(frame) for frame in FRAMES)
    assert list(receiver.feed(wire)) == FRAMES


@given(st.lists(st.integers(min_value=1, max_value=40)))
def test_pieces_of_any_size_make_the_same_frames(sizes: list[int]) -> None:
    sender, receiver = spdy.Framer(), spdy.Framer()
    wire = b"".join(sender.encode(frame) for frame in FRAMES)
    found: list[spdy.Frame] = []
    for size in sizes:
        piece, wire = wire[:size], wire[size:]
        found += receiver.feed(piece)
    found += receiver.feed(wire)
    assert found == FRAMES


def test_a_frame_of_another_version_is_refused() -> None:
    with pytest.raises(spdy.SpdyError, match="version 2"):
        list(spdy.Framer().feed(bytes([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])))


def test_a_malformed_header_block_is_refused() -> None:
    with pytest.raises(spdy.SpdyError, match="malformed"):
        list(spdy.Framer().feed(bytes([0x80, 3, 0, 1, 0, 0, 0, 14]) + b"\0" * 10 + b"\xff\xff\xff\xff"))
