"""Gemini's bytes, as they come: recorded streams, cut at every byte, and what nobody should send.

tests/wire/gemini/*.sse ─▶ GeminiDecoder ─▶ pieces, Finish or the error
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Text, Usage
from lite_llm_chat.providers.gemini_stream import GeminiDecoder

from .conftest import endpoint
from .gemini_ear import STOP, Heard, event, hear, saying

WIRE = Path(__file__).parents[1] / "wire" / "gemini"
OVERLOADED = "acme is overloaded: try again in a moment; it said: "
OURS = "call_c1c167506cb19c9bd05be2c9"  # of a third call, where nothing is known of the request
RECORDED: dict[str, Heard] = {
    "thoughts": (
        [
            (
                "Reasoning",
                (
                    "**Weighing the greeting**\n\nThe user says hello. A short reply — 你好 — will"
                    " do.\n\n"
                ),
            ),
            ("Text", "Hello, 世界 \u2028 \U0001f600!"),
            ("Seal", "text 0:EpwCCpkCAb4+9vsKcXcFvlyuZP0Jb0lKHq8="),
        ],
        Finish("stop", Usage(1301, 1024, 70, 63), "gemini-3.8-flash"),
    ),
    "plain": (
        [("Text", "Grüße aus Zürich.\n")],
        Finish("stop", Usage(7, 0, 6, 0), "gemini-2.5-flash-lite"),
    ),
    "blocked": (
        [],
        (
            "provider_blocked",
            (
                "acme refused the question by its own filter (PROHIBITED_CONTENT): say it"
                " differently or start a new session"
            ),
        ),
    ),
    "overloaded_after_stop": (
        [("Text", "Okay")],
        (
            "provider_overloaded",
            OVERLOADED + "The model is overloaded. Please try again later.",
        ),
    ),
    "shed": (
        [("Text", "The harbour was ")],
        (
            "provider_overloaded",
            OVERLOADED + "This model is currently experiencing high demand. Spikes in demand are"
            " usually temporary. Please try again later.",
        ),
    ),
    "safety": (
        [("Text", "First you take")],
        Finish("content_filter", Usage(20, 0, 4, 0), "gemini-3.8-flash"),
    ),
    "max_tokens": (
        [("Reasoning", "**Thinking it through**\n\n")],
        Finish("length", Usage(20, 0, 16, 16), "gemini-3.8-flash"),
    ),
    "called": (
        [
            ("ToolCall", 'w8xz1k2p get_weather {"city": "Paris"}'),
            ("Seal", "call:EpwCCpkCAb4+9vsKcXcFvlyuZP0Jb0lKHq8="),
        ],
        Finish("tool_calls", Usage(58, 0, 58, 40), "gemini-3.8-flash"),
    ),
    "parallel": (
        [
            ("Reasoning", "**Two cities**\n\nBoth at once.\n"),
            ("Seal", "thought 14:EhQKEnRob3VnaHQrc2lnbmF0dXJl/w=="),
            ("Text", "I look for both: 北京, Zürich."),
            ("Seal", "text 11:EhYKFHRleHRfc2lnbmF0dXJlLTE="),
            ("ToolCall", '7bq2m9xk get_weather {"city": "北京"}'),
            ("Seal", "call:EpQBCpEBAb4-9vvu_call+1/A=="),
            ("ToolCall", '7bq2m9xl get_weather {"city": "Zürich", "days": [1, 2.5, null]}'),
            ("ToolCall", f"{OURS} now {{}}"),
        ],
        Finish("tool_calls", Usage(91, 0, 77, 31), "gemini-4-argon"),
    ),
    "cut": (
        [("Text", "Once upon")],
        (
            "upstream_truncated",
            "acme broke off in the middle of the answer: retry or continue it",
        ),
    ),
}


def test_every_recorded_stream_has_its_meaning_here() -> None:
    assert {path.stem for path in WIRE.glob("*.sse")} == set(RECORDED)
    assert all(b"\r\n" in path.read_bytes() for path in WIRE.glob("*.sse"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(name: str) -> None:
    raw = (WIRE / f"{name}.sse").read_bytes()
    assert hear([raw]) == RECORDED[name]
    for at in range(1, len(raw)):
        assert hear([raw[:at], raw[at:]]) == RECORDED[name], at
    assert hear(raw[at : at + 1] for at in range(len(raw))) == RECORDED[name]


# ── how it ends ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("A_NEW_ONE", "a_new_one"),
    ],
)
def test_a_finish_reason_is_told_in_words_that_callers_know(reason: str, known: str) -> None:
    said, end = hear([saying({"text": "So far"}, finishReason=reason)])
    assert said == [("Text", "So far")]
    assert isinstance(end, Finish)
    assert end.reason == known


@pytest.mark.parametrize(
    "reason",
    [
        "OTHER",
        "MALFORMED_RESPONSE",
        "NO_IMAGE",
    ],
)
def test_a_vendor_that_gave_up_is_a_fault_and_the_text_is_kept(reason: str) -> None:
    said, end = hear([saying({"text": "So far"}, finishReason=reason)])
    assert said == [("Text", "So far")]
    assert isinstance(end, tuple)
    assert end[0] == "upstream_gave_up"
    assert reason in end[1]


@pytest.mark.parametrize("reason", [None, "", "FINISH_REASON_UNSPECIFIED", 1, ["STOP"]])
def test_an_answer_without_a_finish_reason_was_cut(reason: object) -> None:
    said, end = hear([saying({"text": "So far"}, finishReason=reason)])
    assert said == [("Text", "So far")]
    assert isinstance(end, tuple)
    assert end[0] == "upstream_truncated"


def test_thoughts_alone_are_no_answer() -> None:
    said, end = hear([saying({"text": "Hm", "thought": True}, finishReason="STOP")])
    assert said == [("Reasoning", "Hm")]
    assert isinstance(end, tuple)
    assert end[0] == "empty_answer"


def test_going_on_may_add_nothing() -> None:
    _, end = hear([STOP], may_be_empty=True)
    assert isinstance(end, Finish)


def test_text_after_the_finish_reason_still_counts() -> None:
    said, end = hear([saying({"text": "a"}, finishReason="STOP"), saying({"text": "b"})])
    assert said == [("Text", "ab")]
    assert isinstance(end, Finish)


def test_the_last_event_counts_without_its_blank_line() -> None:
    said, end = hear([saying({"text": "a"}, finishReason="STOP").rstrip()])
    assert said == [("Text", "a")]
    assert isinstance(end, Finish)


def test_a_count_that_the_last_usage_leaves_out_is_kept_from_the_one_before() -> None:
    first = {"promptTokenCount": 9, "thoughtsTokenCount": 5, "cachedContentTokenCount": 4}
    last = {"promptTokenCount": 9, "candidatesTokenCount": 2, "toolUsePromptTokenCount": 3}
    rows = [
        event({"candidates": [], "usageMetadata": first}),
        saying({"text": "a"}, finishReason="STOP"),
        event({"usageMetadata": last}),
    ]
    assert hear(rows)[1] == Finish("stop", Usage(12, 4, 7, 5))


def test_only_the_first_candidate_is_read() -> None:
    other = {"index": 1, "content": {"parts": [{"text": "OTHER"}]}, "finishReason": "SAFETY"}
    mine = {"index": 0, "content": {"parts": [{"text": "mine"}]}, "finishReason": "STOP"}
    said, end = hear([event({"candidates": [other, mine, other]})])
    assert said == [("Text", "mine")]
    assert end == Finish("stop")


# ── errors inside a stream ────────────────────────────────────────────────────────────────────

ERROR = {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize(
    "raw",
    [
        event({"error": ERROR}),
        json.dumps({"error": ERROR}).encode() + b"\r\n\r\n",
        json.dumps({"error": ERROR}).encode(),
        json.dumps({"error": ERROR}, indent=2).encode() + b"\n",
        json.dumps([{"error": ERROR}], indent=2).encode(),
        json.dumps({"error": ERROR}, indent="\t").encode().replace(b"\n", b"\r\n"),
    ],
)
def test_an_error_in_the_middle_is_read_in_every_form(raw: bytes) -> None:
    said, end = hear([saying({"text": "So far"}) + raw])
    assert said == [("Text", "So far")]
    assert isinstance(end, tuple)
    assert end == (
        "provider_rate_limited",
        (
            "acme limits how often it may be asked: try again in a moment; it said: Resource has"
            " been exhausted"
        ),
    )


def test_half_an_error_in_the_middle_is_an_error_still() -> None:
    raw = json.dumps({"error": ERROR}, indent=2).encode()
    said, end = hear([saying({"text": "So far"}), raw[: len(raw) // 2]])
    assert said == [("Text", "So far")]
    assert isinstance(end, tuple)
    assert end[0] == "provider_error"


def test_lines_of_blanks_are_padding_and_no_error() -> None:
    said, end = hear([b"  \r\n\r\n", saying({"text": "All"}), b" \r\n", STOP, b" \r\n"])
    assert said == [("Text", "All")]
    assert isinstance(end, Finish)


def test_lines_without_an_end_are_not_collected_for_ever() -> None:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    for _ in range(100):
        decoder.feed(b'{"a":\n' * 500)
        if decoder.over:
            break
    assert decoder.failure is not None
    assert decoder.failure.code == "upstream_garbage"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": ERROR}, "provider_rate_limited"),
        ([{"error": ERROR}], "provider_rate_limited"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "provider_blocked"),
        ({}, "provider_error"),
        ([], "provider_error"),
        (5, "upstream_garbage"),
        ([5], "upstream_garbage"),
    ],
)
def test_one_body_where_events_were_wanted_is_read_as_an_error(body: object, code: str) -> None:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    assert decoder.whole(json.dumps(body).encode()) == []
    assert decoder.failure is not None
    assert decoder.failure.code == code


def test_a_list_of_responses_is_an_answer_too() -> None:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    rows = [
        {"candidates": [{"content": {"parts": [{"text": "He"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "llo"}]}, "finishReason": "STOP"}]},
    ]
    assert decoder.whole(json.dumps(rows, indent=2).encode()) == [Text("Hello")]
    assert decoder.finish() == Finish("stop")


# ── what nobody should send ───────────────────────────────────────────────────────────────────

NAMES = """
candidates content parts text thought thoughtSignature functionCall finishReason index
promptFeedback blockReason usageMetadata promptTokenCount candidatesTokenCount thoughtsTokenCount
modelVersion error message code status details
"""
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(JUNK, max_size=3))
def test_no_json_at_all_makes_it_stumble(chunks: list[object]) -> None:
    hear([*map(event, chunks), STOP])


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_it_stumble(raw: bytes) -> None:
    hear([saying({"text": "a"}), raw, b"\r\n\r\n", STOP])


@pytest.mark.parametrize(
    "odd",
    [
        {"candidates": None},
        {"candidates": [{"content": None}]},
        {"candidates": [{"content": {"parts": None}}]},
        {"candidates": [{"content": {"parts": [{"text": None, "thought": None}]}}]},
        {"candidates": [{"content": {"parts": [{"text": 5}, {"text": ["a"]}, {}]}}]},
        {"usageMetadata": [1], "modelVersion": 5, "promptFeedback": "no"},
        {"usageMetadata": {"promptTokenCount": "many", "candidatesTokenCount": -1}},
        {"promptFeedback": {"blockReason": None}},
        {"promptFeedback": {"blockReason": 7}},
        {"error": None},
    ],
)
def test_odd_fields_cost_nothing_of_the_answer(odd: object) -> None:
    said, end = hear([saying({"text": "a"}), event(odd), saying({"text": "b"}), STOP])
    assert said == [("Text", "ab")]
    assert isinstance(end, Finish)


def test_a_lone_surrogate_never_leaves() -> None:
    raw = rb'data: {"candidates": [{"content": {"parts": [{"text": "a\ud83d"}]}}]}' + b"\r\n\r\n"
    said, _ = hear([raw, STOP])
    assert said == [("Text", "a\ufffd")]


def test_a_character_in_two_escapes_is_one_character() -> None:
    halves = (rb"\ud83d", rb"\ude42")
    start, end = b'data: {"candidates": [{"content": {"parts": [{"text": "', b'"}]}}]}\r\n\r\n'
    said, _ = hear([*(start + half + end for half in halves), STOP])
    assert said == [("Text", "\U0001f642")]
