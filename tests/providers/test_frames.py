"""Frames and text come out the same, however the bytes were cut on their way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.frames import Frame, Mender, SseSplitter

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from(
    [
        b"data: {}",
        b"data:no space",
        b"data:  two spaces",
        b"data",
        "data: \u2028 and \u0085 are text \U0001f600".encode(),
        b": comment",
        b":",
        b"event: error",
        b"event:",
        b"id: 1",
        b"retry: 10",
        b"unknown: x",
        b"no colon",
        b"",
        b"",
        b"",
    ]
)
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=20).map(
    lambda rows: b"".join(line + end for line, end in rows)
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(mark % (len(data) + 1) for mark in at)})
    return [data[a:b] for a, b in pairwise(marks)]


def frames(*parts: bytes) -> list[Frame]:
    splitter = SseSplitter()
    return [frame for part in parts for frame in splitter.feed(part)] + splitter.close()


def reference(data: bytes) -> list[Frame]:
    """The standard, read slowly: line by line, field by field."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    found: list[Frame] = []
    values: list[bytes] = []
    event = b""
    for line in [*lines, b""]:
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if not line:
            if values:
                found.append(Frame(b"\n".join(values), event.decode()))
            values, event = [], b""
        elif name == b"data":
            values.append(value)
        elif name == b"event":
            event = value
    return found


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=30), st.booleans(), st.binary(max_size=3))
def test_any_cut_of_any_stream_gives_the_events_of_the_standard(
    data: bytes, at: list[int], bom: bool, tail: bytes
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + data + tail
    assert frames(*cut(data, at)) == reference(data)


@given(STREAMS)
def test_one_byte_at_a_time_is_as_good_as_all_at_once(data: bytes) -> None:
    assert frames(*(data[i : i + 1] for i in range(len(data)))) == frames(data)


def test_several_data_lines_are_one_event_and_comments_are_counted() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b": keep-alive\n\ndata: a\n:\ndata:b\n\n") == [Frame(b"a\nb")]
    assert splitter.comments == 2


def test_the_last_event_needs_no_blank_line() -> None:
    assert frames(b"data: a\n\nevent: error\ndata: b") == [Frame(b"a"), Frame(b"b", "error")]


def test_an_event_is_dispatched_at_its_cr_without_waiting_for_a_lf() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: a\r\r") == [Frame(b"a")]
    assert splitter.feed(b"\ndata: b\r\n\r\n") == [Frame(b"b")]


def test_a_field_named_error_is_an_error_event() -> None:
    assert frames(b'error: {"message":"boom"}\n\n') == [Frame(b'{"message":"boom"}', "error")]


@pytest.mark.parametrize("flood", [b"x" * 10, b"data: xxxx\n", b"data:\n"])
def test_an_event_without_end_is_refused_before_it_fills_the_memory(flood: bytes) -> None:
    splitter = SseSplitter(max_bytes=100)

    def pour() -> None:
        for _ in range(1000):
            splitter.feed(flood)

    with pytest.raises(UpstreamError) as caught:
        pour()
    assert caught.value.code == "upstream_garbage"


def test_many_events_together_may_be_larger_than_one_may_be() -> None:
    assert len(SseSplitter(max_bytes=100).feed(b"data: 0123456789\n\n" * 50)) == 50


@pytest.mark.parametrize(
    ("before", "free"),
    [
        (b"data: x\n\n", True),
        (b": comment\n", True),
        (b"data: x\r\n\r\n", True),
        (b"event: x\n\n", True),
        (b"", False),
        (b"\xef\xbb", False),
        (b"data: x", False),
        (b"data: x\n", False),
        (b"event: x\n", False),
        (b"data: x\n\r", False),
    ],
)
def test_between_two_events_others_may_read_what_is_no_larger_than_one(
    before: bytes, free: bool
) -> None:
    splitter = SseSplitter(max_bytes=100)
    splitter.feed(before)
    assert splitter.at_event(b"x" * 100) is free
    assert not splitter.at_event(b"x" * 101)


# ── text ──────────────────────────────────────────────────────────────────────────────────────


def utf16_halves(text: str) -> list[str]:
    """The text as JSON escapes may bring it: one UTF-16 unit each."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return [raw[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(raw), 2)]


@given(st.text().map(lambda text: text.replace("\0", "")), st.data())
def test_characters_cut_in_half_between_deltas_are_whole_again(
    text: str, data: st.DataObject
) -> None:
    units = utf16_halves(text)
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=len(units)))
    deltas, at = [], 0
    for size in [*sizes, len(units)]:
        deltas.append("".join(units[at : at + size]))
        at += size
    mender = Mender()
    assert "".join(mender.mend(delta) for delta in deltas) + mender.rest() == text


@given(st.lists(st.text(st.characters(categories=["Cs", "L", "Cc"])), max_size=10))
def test_whatever_comes_can_be_encoded_and_stored(deltas: list[str]) -> None:
    mender = Mender()
    mended = "".join(mender.mend(delta) for delta in deltas) + mender.rest()
    assert "\0" not in mended
    mended.encode()


def test_a_half_that_stays_alone_becomes_the_replacement_character() -> None:
    mender = Mender()
    assert mender.mend("a\ud83d") == "a"
    assert mender.mend("b\ude00c") == "\ufffdb\ufffdc"
    assert mender.mend("\ud83d") + mender.rest() == "\ufffd"
    assert mender.rest() == ""
