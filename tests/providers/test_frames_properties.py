"""Any bytes, however they are cut, become the frames that a slow reading of the standard finds.

The reference below reads the whole text at once, line by line. It differs from the standard where
the splitter says that it does: the last event needs no blank line, and a field named `error` is an
error event.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.frames import Frame, Mender, SseSplitter

BOM = b"\xef\xbb\xbf"
FIELDS = [b"data", b"event", b"error", b"id", b":", b": ", b" ", b"{}", b"data: x\n\n"]
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n"]
ODD = [BOM, b"\xe2\x80\xa8", b"\xc2\x85", b"\xff", b"\0", "é🙂".encode()]
ATOMS = st.sampled_from([*FIELDS, *ENDS, *ODD])
STREAMS = st.lists(ATOMS | st.binary(max_size=4), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=20)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The data in parts; some of them are empty."""
    marks = [0, *sorted(min(mark, len(data)) for mark in at), len(data)]
    return [data[a:b] for a, b in pairwise(marks)]


def split(*parts: bytes, max_bytes: int = 1 << 20) -> tuple[list[Frame], int]:
    """The frames of a stream that comes in these parts, and how many comments it had."""
    splitter = SseSplitter(max_bytes)
    frames = [frame for part in parts for frame in splitter.feed(part)]
    return frames + splitter.close(), splitter.comments


def reference(stream: bytes) -> tuple[list[Frame], int]:
    """What the standard says, with the two differences above."""
    frames: list[Frame] = []
    values: list[bytes] = []
    comments, event = 0, ""
    for line in [*re.split(b"\r\n|\r|\n", stream.removeprefix(BOM)), b""]:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line == b"":
            if values:
                frames.append(Frame(b"\n".join(values), event))
            event, values = "", []
        elif name == b"":
            comments += 1
        elif name in (b"data", b"error"):
            values.append(value)
        if name == b"event":
            event = value.decode("utf-8", "replace")
        if name == b"error":
            event = "error"
    return frames, comments


@given(STREAMS, CUTS)
@example(b"data: a\r\n\r\ndata: b\r\r\ndata: c\n\n", list(range(40)))
@example(BOM + b"data: a\n\n", [1, 2, 3])
@example(BOM + BOM + b"data: a\n\n", [4])
@example(b"data: \xe2\x80\xa8 \xc2\x85\n\n", [])
@example(b"data: unfinished", [])
@example(b"data", [2])
@example(b"data:\n\n", [])
@example(b"event: x\n\ndata: y\n\n", [])
@example(b":\n:x\n\n", [])
def test_any_cut_of_any_bytes_gives_the_frames_of_the_reference(
    stream: bytes, at: list[int]
) -> None:
    assert split(*cut(stream, at)) == reference(stream)


@given(STREAMS, CUTS, st.integers(1, 40))
def test_what_is_short_enough_is_never_refused_and_the_rest_is_whole_or_an_upstream_error(
    stream: bytes, at: list[int], max_bytes: int
) -> None:
    parts = cut(stream, at)
    if len(stream) <= max_bytes:
        assert split(*parts, max_bytes=max_bytes) == reference(stream)
        return
    with suppress(UpstreamError):
        assert split(*parts, max_bytes=max_bytes) == reference(stream)


# ── text ──────────────────────────────────────────────────────────────────────────────────────

HALVES = st.text(st.sampled_from("a\0\ud83d\ude00\ud800\udfff🙂é\u2028"), max_size=30)


def mended(deltas: list[str]) -> str:
    mender = Mender()
    return "".join(mender.mend(delta) for delta in deltas) + mender.rest()


def reference_mending(text: str) -> str:
    """What a UTF-16 decoder makes of the same units; it replaces half by half."""
    units = text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


@given(HALVES, st.lists(st.integers(0, 30), max_size=12))
def test_any_cut_of_any_text_is_mended_as_the_whole_is(text: str, at: list[int]) -> None:
    marks = [0, *sorted(min(mark, len(text)) for mark in at), len(text)]
    out = mended([text[a:b] for a, b in pairwise(marks)])
    assert out == mended([text]) == reference_mending(text)
    out.encode("utf-8")


@given(HALVES)
def test_nothing_is_held_back_but_the_first_half_of_a_character(text: str) -> None:
    mender, out = Mender(), ""
    for number, letter in enumerate(text, start=1):
        out += mender.mend(letter)
        so_far = text[:number]
        half = "\ud800" <= letter <= "\udbff"
        assert out == reference_mending(so_far[:-1] if half else so_far)
