"""Chunks like the last one are read at once, and what is said is what it was when each is read.

the same reads ─┬▶ ChatDecoder ────────────────────────┐
                ├▶ ChatDecoder, its templates unused ──┼─▶ equal
                └▶ json.loads, event by event ─────────┘
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Piece, Reasoning, Text, Usage
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers import chat_stream
from lite_llm_chat.providers.chat_stream import ChatDecoder
from lite_llm_chat.providers.frames import each_row
from lite_llm_chat.providers.template import Template, around_text
from standins.reply import DONE, KEEP_ALIVE, Encoder, Envelope, Field, Token, event

from .conftest import endpoint

ENVELOPE = Envelope("930c60df", 1705651092, "deepseek-chat", "fp_a49d71b8a1", thinking=False)
THINKING = Envelope("930c60df", 1705651092, "deepseek-chat", "fp_a49d71b8a1", thinking=True)
OTHER = Envelope("930c60df", 1705651092, "deepseek-next", "fp_0", thinking=False)
END = event(ENVELOPE.chunk({}, "stop", {"prompt_tokens": 7, "completion_tokens": 2}))


def token(text: str, field: Field = "content", envelope: Envelope = ENVELOPE) -> bytes:
    """One token as DeepSeek sends it."""
    return Encoder(envelope).frame(Token(field, text)).raw


def raw(inside: bytes, field: Field = "content", envelope: Envelope = ENVELOPE) -> bytes:
    """A token with these bytes between the quotes, sound or not."""
    before, after = envelope.halves(field)
    return before + b'"' + inside + b'"' + after


# ── what is observed ──────────────────────────────────────────────────────────────────────────

Told = tuple[list[list[Piece]], bool, Finish | tuple[str, str]]


def told(parts: Sequence[bytes]) -> Told:
    """All that a decoder tells: pieces read by read, whether it is over, and the end."""
    decoder = ChatDecoder(endpoint("http://nowhere"))
    pieces = [[]] if not parts else [decoder.feed(part) for part in parts if not decoder.over]
    pieces.append(decoder.close())
    try:
        return pieces, decoder.over, decoder.finish()
    except UpstreamError as error:
        return pieces, decoder.over, (error.code, error.detail)


def told_one_by_one(parts: Sequence[bytes]) -> Told:
    """The same with no chunk ever like another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "texts", lambda *_: None)
        return told(parts)


@pytest.fixture
def read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The rows that were decoded as whole chunks, one entry for each time."""
    rows: list[bytes] = []

    def counted(decoder: msgspec.json.Decoder[object], new: bytes) -> object:
        rows.append(new)
        return each_row(decoder, new)

    monkeypatch.setattr(chat_stream, "each_row", counted)
    return rows


def learned_with(*first: bytes) -> ChatDecoder:
    """A decoder that has read this, a read each."""
    decoder = ChatDecoder(endpoint("http://nowhere"))
    for part in first:
        decoder.feed(part)
    return decoder


# ── that it happens ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("envelope", [ENVELOPE, THINKING])
@pytest.mark.parametrize(("field", "kind"), [("content", Text), ("reasoning_content", Reasoning)])
def test_deepseeks_tokens_are_read_at_once_after_the_first(
    read_one_by_one: list[bytes], envelope: Envelope, field: Field, kind: type[Text | Reasoning]
) -> None:
    decoder = learned_with(token("The", field, envelope))
    read_one_by_one.clear()
    words = [' "cat"', " sat\n", " über", " \\ 🙂", "", " mat", "."]
    for _ in range(30):
        pieces = decoder.feed(b"".join(token(word, field, envelope) for word in words))
        assert pieces == [kind("".join(words))]
        assert decoder.feed(token("x", field, envelope)) == [kind("x")]
    assert read_one_by_one == []


@pytest.mark.parametrize(
    "text",
    [
        '{"choices": [{"index": 0, "delta": {"content": "%s"}, "finish_reason": null}]}',
        '{"choices":[{"delta":{"content":"%s","reasoning_content":""},"finish_reason":""}]}',
        '{"choices":[{"index":"0","message":{"role":"assistant","reasoning":"%s"}}],"usage":null}',
        '{"choices":[{"delta":{"reasoning_content":"","content":"%s"},"logprobs":null}]}',
        '{"id":"\\"content\\":\\"x","choices":[{"index":0,"delta":{"content":"%s"}}]}',
    ],
)
def test_other_vendors_chunks_too(read_one_by_one: list[bytes], text: str) -> None:
    decoder = learned_with(b"data: %s\n\n" % (text % "a").encode())
    read_one_by_one.clear()
    (piece,) = decoder.feed(b"".join(b"data: %s\n\n" % (text % c).encode() for c in "bcd"))
    assert isinstance(piece, Text | Reasoning)
    assert (piece.text, read_one_by_one) == ("bcd", [])


def test_after_the_thinking_the_answer_is_read_at_once_as_well(
    read_one_by_one: list[bytes],
) -> None:
    thought, said = token("hm", "reasoning_content", THINKING), token("so", envelope=THINKING)
    decoder = learned_with(thought, thought * 3)
    assert decoder.feed(thought + said) == [Reasoning("hm"), Text("so")]
    read_one_by_one.clear()
    assert decoder.feed(said * 3) == [Text("sososo")]
    assert read_one_by_one == []


def test_thoughts_and_answers_may_take_turns_for_long(read_one_by_one: list[bytes]) -> None:
    thought, said = token("hm", "reasoning_content", THINKING), token("so", envelope=THINKING)
    decoder = ChatDecoder(endpoint("http://nowhere"))
    for _ in range(50):
        read_one_by_one.clear()
        pieces = [piece for part in (thought, thought, said, said) for piece in decoder.feed(part)]
        assert pieces == [Reasoning("hm"), Reasoning("hm"), Text("so"), Text("so")]
        # The first of each kind, and each of these once more without its text.
        assert len(read_one_by_one) == len(set(read_one_by_one)) == 4


def test_a_vendor_whose_chunks_all_differ_is_not_studied_for_ever(
    read_one_by_one: list[bytes],
) -> None:
    decoder = ChatDecoder(endpoint("http://nowhere"))
    for number in range(100):
        assert decoder.feed(unlike(number)) == [Text("x")]
    assert 100 < len(read_one_by_one) <= 110


def unlike(number: int) -> bytes:
    """A token as vendors send it that hide its length."""
    return event({**ENVELOPE.chunk({"content": "x"}), "obfuscation": str(number)})


# ── what is never read at once ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(raw(rb"a\ud83d"), id="half a character"),
        pytest.param(raw(b"a\\") + raw(b"nb"), id="half an escape"),
        pytest.param(raw(b"\\u00") + raw(b"e9"), id="half a number"),
        pytest.param(raw(b"\xc3") + raw(b"\xa9"), id="half a letter"),
        pytest.param(raw(b"a\tb"), id="a raw tab"),
        pytest.param(raw(b"a\rb"), id="a raw line end"),
        pytest.param(raw(b'a","content":"b'), id="twice the name"),
        pytest.param(raw(b'a""b'), id="two strings"),
        pytest.param(raw(b'a"\n"b'), id="two strings in two lines"),
        pytest.param(raw(b'","role":"x'), id="one more field"),
        pytest.param(raw(b"a\\") + raw(b',"role":"b'), id="one string less and one more"),
        pytest.param(raw(b'a"\n\ndata: "b'), id="an event in the middle"),
        pytest.param(b'"'.join(ENVELOPE.halves("content")), id="too short for both halves"),
        pytest.param(token("b", envelope=OTHER) + token("c"), id="another model between"),
        pytest.param(token("b") + token("c", envelope=OTHER), id="another model at last"),
        pytest.param(token("b") + END, id="the finish"),
        pytest.param(token("b") + DONE + token("late"), id="the end mark"),
        pytest.param(KEEP_ALIVE + token("b"), id="a comment"),
        pytest.param(b"event: error\n" + token("b"), id="an event with a name"),
        pytest.param(token("b").replace(b"\n", b"\r\n"), id="other line ends"),
        pytest.param(b'data: {"error":"boom"}\n\n' + token("b"), id="an error"),
        pytest.param(token("b") + token("c")[:-1], id="not whole"),
    ],
)
@pytest.mark.parametrize("first", [token("-"), token("-", "reasoning_content", THINKING)])
def test_what_is_not_quite_like_the_last_chunk_is_read_as_ever(first: bytes, odd: bytes) -> None:
    for end in ([END, DONE], [token("z") + END], [b"\n", token("z"), END]):
        assert told([first, odd, *end]) == told_one_by_one([first, odd, *end])
    assert Template(*halves(token("-"))).texts(odd) is None


def halves(event: bytes) -> tuple[bytes, bytes]:
    found = around_text(event.removeprefix(b"data: ").removesuffix(b"\n\n"))
    assert found is not None
    return found


@pytest.mark.parametrize("begun", [b": a comm", b"event: error\n", b"data: {", b"\r", b"data: x\n"])
def test_an_event_that_has_begun_is_not_forgotten(begun: bytes) -> None:
    parts = [token("a"), begun, token("b"), END]
    assert told(parts) == told_one_by_one(parts)


def test_the_end_mark_ends_what_is_like_the_last_chunk_too() -> None:
    parts = [token("a"), END + DONE + token("late"), token("late")]
    assert learned_with(token("a"), DONE).feed(token("late")) == []
    assert told(parts) == told_one_by_one(parts)


def test_the_last_model_is_reported_though_most_chunks_were_read_at_once() -> None:
    mine, other = token("a"), token("b", envelope=OTHER)
    end = b'data: {"choices":[{"finish_reason":"stop"}]}\n\n'
    for parts, model in (
        ([mine, mine, other, mine, mine, end], ENVELOPE.model),
        ([mine, mine, other + mine, mine, end], ENVELOPE.model),
        ([mine, mine, mine + other, other, end], OTHER.model),
    ):
        finish = told(parts)[-1]
        assert isinstance(finish, Finish)
        assert finish.model == model


@pytest.mark.parametrize("times", range(1, 20))
def test_nor_does_the_model_of_a_chunk_long_past_stay(times: int) -> None:
    parts = [*map(unlike, range(times)), token("b", envelope=OTHER), unlike(times - 1)]
    end = b'data: {"choices":[{"finish_reason":"stop"}]}\n\n'
    assert told([*parts, end])[-1] == Finish("stop", None, ENVELOPE.model, ENVELOPE.fingerprint)


@pytest.mark.parametrize(
    "chunk",
    [
        b'{"content":"x","choices":[{"delta":{"role":"assistant"}}]}',
        b'{"choices":[{"delta":{"content":[{"text":"a","content":"x"}]}}]}',
        b'{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}',
        b'{"choices":[{"delta":{"content":["a"]}}]}',
        b'{"content":"x","choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"x","content":"a"}}]}',
        b'{"choices":[{"delta":{"x\\"content":"x","content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"x"},"delta":{"content":"a"}}]}',
        b'{"choices":[{"index":1,"delta":{"content":"a"}}]}',
    ],
)
def test_a_chunk_that_says_its_text_in_another_way_is_no_template(chunk: bytes) -> None:
    parts = [b"data: %s\n\n" % chunk] * 3 + [b"data: %s\n\n" % chunk.replace(b'"x"', b'"y"'), END]
    assert told(parts) == told_one_by_one(parts)
    assert learned_with(parts[0])._template is None


# ── whatever comes ────────────────────────────────────────────────────────────────────────────

DRESSES: st.SearchStrategy[tuple[Envelope, Field]] = st.sampled_from(
    [
        (ENVELOPE, "content"),
        (THINKING, "content"),
        (THINKING, "reasoning_content"),
        (OTHER, "content"),
    ]
)
LETTERS = [b"a", b"e9", b",", b"\xff", b"\xc3", b"\xa9", b"\t", b"\n", b"\r"]
ESCAPES = [b"\\", b'\\"', b"\\\\", b"\\n", b"\\u", b"\\u00", b"\\u0000", b"\\ud83d", b"\\ude00"]
QUOTES = [b'"', b'","', b'""', b'"\n"', b'"}', b'","role":"', *ENVELOPE.halves("content")]
ODD_INSIDES = st.lists(st.sampled_from([*LETTERS, *ESCAPES, *QUOTES]), max_size=5).map(b"".join)
ODD_EVENTS = st.sampled_from(
    [
        END,
        DONE,
        KEEP_ALIVE,
        b"event: x\n",
        b"\n",
        b"\r\n",
        b"data: \n\n",
        b"data: {}\n\n",
        b'data: {"error":"boom"}\n\n',
        token("crlf").replace(b"\n", b"\r\n"),
        event(ENVELOPE.chunk({"role": "assistant", "content": ""})),
        event({**OTHER.chunk({}), "usage": {"x": 1}}),
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Events, most of them in long rows of the same dress."""
    events: list[bytes] = []
    for _ in range(draw(st.integers(1, 5))):
        envelope, field = draw(DRESSES)
        texts = draw(st.lists(st.text(max_size=6), min_size=1, max_size=6))
        events += [token(text, field, envelope) for text in texts]
        if draw(st.integers(0, 3)) == 0:
            events.append(raw(draw(ODD_INSIDES), field, envelope))
        if draw(st.integers(0, 3)) == 0:
            events.append(draw(ODD_EVENTS))
    return [*events, *draw(st.sampled_from([[], [END], [END, DONE]]))]


def cut(events: list[bytes], at: list[int], anywhere: list[int]) -> list[bytes]:
    """The stream in reads: between events, and now and then in the middle of one."""
    ends = [0]
    for one in events:
        ends.append(ends[-1] + len(one))
    marks = {0, ends[-1], *(ends[mark % len(ends)] for mark in at)}
    marks |= {mark % (ends[-1] + 1) for mark in anywhere}
    data = b"".join(events)
    return [data[a:b] for a, b in pairwise(sorted(marks))]


@given(streams(), st.lists(st.integers(0, 40), max_size=20), st.lists(st.integers(0), max_size=2))
@example([token("a"), raw(b"b\\"), raw(b',"c')], [1], [])
@example([token("a"), raw(b"b\\"), raw(b"nc"), END], [1, 2, 3], [])
def test_any_stream_in_any_reads_is_told_as_if_read_one_by_one(
    events: list[bytes], at: list[int], anywhere: list[int]
) -> None:
    parts = cut(events, at, anywhere)
    assert told(parts) == told_one_by_one(parts)


@given(
    st.lists(st.tuples(DRESSES, st.text()), min_size=1, max_size=30),
    st.booleans(),
    st.lists(st.integers(0, 40), max_size=20),
)
def test_any_texts_are_what_a_plain_reader_finds(
    said: list[tuple[tuple[Envelope, Field], str]], escaped: bool, at: list[int]
) -> None:
    chunks = [envelope.chunk(envelope.delta(field, text)) for (envelope, field), text in said]
    events = [b"data: %s\n\n" % json.dumps(one, ensure_ascii=escaped).encode() for one in chunks]
    pieces, _, finish = told(cut([*events, token("."), END], at, []))
    rows = [row for row in b"".join(events).split(b"\n") if row]
    texts = [delta for row in rows for delta in plainly(json.loads(row.removeprefix(b"data: ")))]
    assert letters(piece for read in pieces for piece in read) == letters([*texts, Text(".")])
    assert finish == Finish("stop", Usage(7, 0, 2, 0), ENVELOPE.model, ENVELOPE.fingerprint)


def plainly(chunk: dict[str, list[dict[str, dict[str, str | None]]]]) -> Iterator[Piece]:
    delta = chunk["choices"][0]["delta"]
    yield Reasoning((delta.get("reasoning_content") or "").replace("\0", "\ufffd"))
    yield Text((delta.get("content") or "").replace("\0", "\ufffd"))


def letters(pieces: Iterator[Piece] | list[Piece]) -> list[tuple[str, str]]:
    """Letter by letter with its kind, so that it does not matter how pieces were cut."""
    return [
        (type(piece).__name__, letter)
        for piece in pieces
        if isinstance(piece, Text | Reasoning)
        for letter in piece.text
    ]


def test_a_huge_chunk_is_read_but_not_kept_to_compare_others_with() -> None:
    decoder = ChatDecoder(endpoint("http://nowhere"))
    choice = {"delta": {"content": "x"}, "padding": 200_000 * "p"}
    tracemalloc.start()
    try:
        assert decoder.feed(event({"choices": [choice]})) == [Text("x")]
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 100_000
