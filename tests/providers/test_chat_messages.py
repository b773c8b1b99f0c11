"""Turns become messages of OpenAI's dialect."""

from __future__ import annotations

import pytest

from lite_llm_chat.domain import Picture, Seal, Text, ToolCall, Turn
from lite_llm_chat.providers.chat_messages import messages_of, naming_json, told

CALL = ToolCall("call_00_abc", "look", '{"at": 1}')
CALLED = Turn("assistant", "", parts=(CALL,))
RESULT = Turn("tool", "a cat", call_id="call_00_abc")
SENT = {
    "id": "call_00_abc",
    "type": "function",
    "function": {"name": "look", "arguments": '{"at": 1}'},
}


def test_a_call_and_its_result_are_messages() -> None:
    said = Turn("assistant", "Let me look.", parts=(Text("Let me look."), CALL))
    assert messages_of([said, CALLED, RESULT]) == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [SENT]},
        {"role": "assistant", "content": None, "tool_calls": [SENT]},
        {"role": "tool", "content": "a cat", "tool_call_id": "call_00_abc"},
    ]


@pytest.mark.parametrize(
    ("arguments", "sent"), [("", "{}"), ('{"a": "é', '{"not_json": "{\\"a\\": \\"é"}')]
)
def test_arguments_that_are_no_json_go_back_as_json(arguments: str, sent: str) -> None:
    turn = Turn("assistant", "", parts=(ToolCall("a", "f", arguments),))
    (message,) = messages_of([turn])
    calls = message["tool_calls"]
    assert isinstance(calls, list)
    assert calls[0]["function"] == {"name": "f", "arguments": sent}


def test_ids_are_nine_letters_where_the_vendor_wants_that_and_still_belong_together() -> None:
    first, second = messages_of([CALLED, RESULT], call_ids="nine")
    calls = first["tool_calls"]
    assert isinstance(calls, list)
    assert calls[0]["id"] == second["tool_call_id"]
    assert len(calls[0]["id"]) == 9
    assert calls[0]["id"].isalnum()
    (kept,) = messages_of([Turn("tool", "x", call_id="aB3xK9mP2")], call_ids="nine")
    assert kept["tool_call_id"] == "aB3xK9mP2"


def test_pictures_are_data_urls_behind_the_words() -> None:
    pictures = (Picture("1", "image/png", b"\x89PNG"), Picture("2", "image/jpeg", b"\xff"))
    images = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/w=="}},
    ]
    assert messages_of([Turn("user", "See?", pictures=pictures)]) == [
        {"role": "user", "content": [{"type": "text", "text": "See?"}, *images]}
    ]
    assert messages_of([Turn("user", "", pictures=pictures)]) == [
        {"role": "user", "content": images}
    ]


def test_seals_go_back_to_their_makers_alone() -> None:
    details = Seal("openrouter", '[{"type": "reasoning.encrypted", "data": "x"}]')
    signed = Seal("google", '{"google": {"thought_signature": "s"}}')
    turn = Turn("assistant", "", parts=(details, CALL, signed))
    bare = {"role": "assistant", "content": None, "tool_calls": [SENT]}
    assert messages_of([turn]) == [bare]
    assert messages_of([turn], "reasoning_details") == [
        {**bare, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}
    ]
    signed_call = {**SENT, "extra_content": {"google": {"thought_signature": "s"}}}
    assert messages_of([turn], "extra_content") == [{**bare, "tool_calls": [signed_call]}]


def test_a_model_without_tools_is_told_of_calls_in_words() -> None:
    assert messages_of(told([Turn("user", "?"), CALLED, RESULT])) == [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": '[Call call_00_abc: look({"at": 1})]'},
        {"role": "user", "content": "[Result of call_00_abc]\na cat"},
    ]


@pytest.mark.parametrize(
    ("turns", "first"),
    [
        ((Turn("user", "As JSON!"),), Turn("user", "As JSON!")),
        ((Turn("user", "Hi"),), Turn("system", "Answer with a JSON object.")),
        (
            (Turn("system", "Be kind."), Turn("user", "Hi")),
            Turn("system", "Be kind.\n\nAnswer with a JSON object."),
        ),
    ],
)
def test_json_is_named_once(turns: tuple[Turn, ...], first: Turn) -> None:
    named = naming_json(turns)
    assert named[0] == first
    assert named[-1] == turns[-1]
    assert naming_json(named) == named
