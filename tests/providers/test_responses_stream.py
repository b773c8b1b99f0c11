"""Events of the Responses API: bytes in, pieces out, nothing believed without need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lite_llm_chat.domain import Finish, Piece, Reasoning, Seal, Text, ToolCall, Usage
from lite_llm_chat.providers.responses_stream import ResponseDecoder

from .conftest import endpoint
from .response_events import decoded, delta, done, ended, event, merged, message, refused

WIRE = Path(__file__).parents[1] / "wire" / "responses"


# ── recorded streams ──────────────────────────────────────────────────────────────────────────


def sealed(name: str) -> Seal:
    """The reasoning of a recorded stream, as it stands there in the end, without its nulls."""
    for row in (WIRE / f"{name}.sse").read_text("utf-8").split("\n\n"):
        said = json.loads(row.partition("data: ")[2] or "{}")
        if said.get("type") == "response.output_item.done" and said["item"]["type"] == "reasoning":
            item = {name: value for name, value in said["item"].items() if value is not None}
            return Seal("responses", json.dumps(item, ensure_ascii=False))
    raise AssertionError(name)


LUNA = "gpt-6-luna-2026-09-01"
RECORDED: dict[str, list[Piece]] = {
    "text": [
        Text('Grüße aus "Köln"\u2028🙂,\nund gute Nacht.'),
        Finish("stop", Usage(21, 0, 17, 0), "gpt-4.1-2026-04-14"),
    ],
    "reasoning": [
        Reasoning("**Adding** They ask for a sum.\n\n**Checking** 2 + 2 it is."),
        sealed("reasoning"),
        Text("It is four."),
        Finish("stop", Usage(2020, 1792, 34, 23), LUNA),
    ],
    "calls": [
        Reasoning("Two towns."),
        sealed("calls"),
        ToolCall("call_Aa1", "get_weather", '{"city":"Köln"}'),
        ToolCall("call_Bb2", "get_weather", '{"city":"Rom"}'),
        Finish("tool_calls", Usage(90, 0, 61, 12), "gpt-6.1-sol-2026-10-10"),
    ],
    "plain_thoughts": [
        Reasoning("嗯，用工具。"),
        sealed("plain_thoughts"),
        ToolCall("call_00_x", "now", "{}"),
        Finish("tool_calls", Usage(40, 32, 19, 6), "deepseek-flash"),
    ],
    "incomplete": [Text("Once upon a"), Finish("length", Usage(11, 0, 16, 0), LUNA)],
    "refusal": [
        Text("I can't help with that."),
        Finish("refusal", Usage(12, 0, 8, 0), LUNA),
    ],
    "strangers": [Text("The news."), Finish("stop", Usage(300, 0, 9, 0), LUNA)],
}


def test_every_recorded_stream_is_replayed() -> None:
    assert {path.stem for path in WIRE.glob("*.sse")} == {*RECORDED, "failed", "error"}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_gives_its_pieces_wherever_it_is_cut(name: str) -> None:
    data = (WIRE / f"{name}.sse").read_bytes()
    assert merged(decoded(data)) == RECORDED[name]
    for at in range(1, len(data)):
        assert merged(decoded(data[:at], data[at:])) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_line_ends_and_single_bytes_change_nothing(name: str, end: bytes) -> None:
    data = (WIRE / f"{name}.sse").read_bytes().replace(b"\n", end)
    assert merged(decoded(*(data[at : at + 1] for at in range(len(data))))) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_without_event_names_the_type_in_the_data_counts(name: str) -> None:
    data = (WIRE / f"{name}.sse").read_bytes()
    bare = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"event:"))
    assert merged(decoded(bare)) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_without_deltas_the_whole_items_count(name: str) -> None:
    rows = (WIRE / f"{name}.sse").read_bytes().split(b"\n\n")
    spare = b"\n\n".join(row for row in rows if b".delta\n" not in row)
    assert merged(decoded(spare)) == RECORDED[name]
    items = b"\n\n".join(row for row in rows if not row.startswith(SMALL))
    assert merged(decoded(items)) == RECORDED[name]


SMALL = tuple(
    f"event: response.{kind}".encode()
    for kind in ("output_text", "refusal", "reasoning", "function_call", "content_part")
)


@pytest.mark.parametrize("name", RECORDED)
def test_of_the_last_event_alone_the_whole_output_counts(name: str) -> None:
    last = (WIRE / f"{name}.sse").read_bytes().rstrip().split(b"\n\n")[-1]
    assert merged(decoded(last + b"\n\n")) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_the_response_as_one_body_is_the_same_answer(name: str) -> None:
    last = (WIRE / f"{name}.sse").read_bytes().rstrip().split(b"\n\n")[-1]
    response = json.loads(last.partition(b"data: ")[2])["response"]
    decoder = ResponseDecoder(endpoint("http://nowhere"))
    pieces = [*decoder.whole(json.dumps(response).encode()), *decoder.close(), decoder.finish()]
    assert merged(pieces) == RECORDED[name]


@pytest.mark.parametrize(
    ("name", "code", "retryable"),
    [("failed", "provider_rate_limited", True), ("error", "provider_error", True)],
)
def test_a_stream_that_fails_keeps_what_came(name: str, code: str, retryable: bool) -> None:
    pieces, error = refused((WIRE / f"{name}.sse").read_bytes() + delta(" never"))
    assert merged(pieces) == [Text("So far")]
    assert (error.code, error.retryable) == (code, retryable)


def test_every_shorter_stream_is_a_cut_and_keeps_its_words() -> None:
    data = (WIRE / "text.sse").read_bytes()
    last = data.rindex(b"data: ")
    for at in range(0, last + 20, 7):
        pieces, error = refused(data[:at])
        assert error.code == "upstream_truncated"
        said = "".join(piece.text for piece in pieces if isinstance(piece, Text))
        assert RECORDED["text"][0].text.startswith(said)  # type: ignore[union-attr]
    assert merged(decoded(data[:-2])) == RECORDED["text"]  # its blank line never came


# ── texts ─────────────────────────────────────────────────────────────────────────────────────


def test_one_read_is_one_piece_of_each_kind_in_a_row() -> None:
    thought = delta("Hm", "reasoning_text")
    data = thought + thought + delta("a", item=1) + delta("b", item=1) + ended()
    assert decoded(data) == [Reasoning("HmHm"), Text("ab"), Finish("stop")]


def test_thoughts_and_texts_of_several_items_stand_apart() -> None:
    kind = "reasoning_summary_text"
    data = delta("one", kind) + delta("two", kind, part=1) + delta("a", item=1)
    data += delta("b", item=1, part=1) + delta("three", kind, item=2) + delta("c", item=3)
    assert merged(decoded(data + ended())) == [
        Reasoning("one\n\ntwo"),
        Text("ab"),
        Reasoning("\n\nthree"),
        Text("\n\nc"),
        Finish("stop"),
    ]


def test_a_part_that_is_gone_on_with_is_not_parted_again() -> None:
    data = delta("a") + delta("Hm", "reasoning_text", item=1) + delta("b")
    assert merged(decoded(data + ended())) == [
        Text("a"),
        Reasoning("Hm"),
        Text("b"),
        Finish("stop"),
    ]


def test_what_is_whole_is_said_once_however_often_it_comes() -> None:
    whole = event("response.output_text.done", output_index=0, content_index=0, text="abc")
    item = done(0, **message("abc"))
    end = ended(output=[message("abc")])
    for data in (delta("abc"), whole, whole + whole, delta("ab") + delta("c"), item, item + item):
        assert merged(decoded(data + whole + item + end)) == [Text("abc"), Finish("stop")]


def test_indexes_that_are_none_say_nothing_twice() -> None:
    odd: tuple[object, ...] = (None, "0", [], {"a": 1}, -1, 1.5)
    for index in odd:
        deltas = [
            event("response.output_text.delta", output_index=index, content_index=index, delta=text)
            for text in "abc"
        ]
        end = ended(output=[{"type": "reasoning"}, message("abc")])
        assert merged(decoded(*deltas, end)) == [Text("abc"), Finish("stop")]


def test_a_refusal_is_shown_and_is_the_reason_of_the_end() -> None:
    data = delta("No.", "refusal") + done(0, **message("No.", kind="refusal")) + ended()
    assert merged(decoded(data)) == [Text("No."), Finish("refusal")]
