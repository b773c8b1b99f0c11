"""The JSON in a text: found, held against its schema, or complained of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lite_llm_chat.asking import forms
from lite_llm_chat.domain import ResponseFormat, Turn
from lite_llm_chat.errors import Invalid

OBJECT = ResponseFormat("json_object")
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["age"],
}
PERSON = ResponseFormat("json_schema", "person", SCHEMA)
GOOD = '{"age": 7, "name": "Ån"}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"Sure, here it is:\n\n```\n{GOOD}\n```\nTell me if you want more.",
        f"The answer is {GOOD}, I hope.",
        f'First {{"age": "no"}} came to my mind, but it is {GOOD}.',
        f"[1, 2] is a list {{and this is none}} and {GOOD} is it",
        f'```json\n{{"age": "x"}}\n```\nNo:\n```json\n{GOOD}\n```',
    ],
)
def test_the_json_is_found_as_it_stands_there(text: str) -> None:
    assert forms.judge(PERSON, text) == forms.Verdict(json=GOOD)


def test_a_scalar_is_found_where_the_schema_wants_one() -> None:
    wanted = ResponseFormat("json_schema", "n", {"type": "integer"})
    assert forms.judge(wanted, " 42 ").json == "42"
    assert forms.judge(wanted, "forty-two").complaint == "it is no JSON"


@pytest.mark.parametrize(
    ("wanted", "text", "complaint"),
    [
        (PERSON, "", "it is empty"),
        (PERSON, " \n", "it is empty"),
        (PERSON, "I cannot do that.", "it is no JSON"),
        (PERSON, '{"age": 7', "it is no JSON"),
        (PERSON, '{"age": NaN}', "it is no JSON"),
        (PERSON, '{"age": "x"}', '"x" is not of type "integer" (at age)'),
        (PERSON, "{}", '"age" is a required property (at the top)'),
        (OBJECT, "[1]", "the JSON is not an object"),
        (OBJECT, "7", "the JSON is not an object"),
        (OBJECT, "[" * 5000, "it is no JSON"),
        (PERSON, '{"a":' * 5000 + "1" + "}" * 5000, "it is no JSON"),
    ],
)
def test_what_is_wrong_is_said_so_that_it_can_be_mended(
    wanted: ResponseFormat, text: str, complaint: str
) -> None:
    assert forms.judge(wanted, text) == forms.Verdict(complaint=complaint)


def test_a_complaint_is_short_whatever_the_text_holds() -> None:
    text = json.dumps({"age": "x" * 100_000})
    assert len(forms.judge(PERSON, text).complaint) <= forms.COMPLAINT_CHARS


def test_only_the_whole_text_counts_where_it_was_seen_already() -> None:
    assert forms.judge(PERSON, f" {GOOD} ", exact=True).json == GOOD
    assert forms.judge(PERSON, f"```json\n{GOOD}\n```", exact=True).complaint == "it is no JSON"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "(?=x)y"}}},  # takes exponential time elsewhere
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "https://example.org/own"},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(Invalid) as caught:
        forms.check(ResponseFormat("json_schema", "x", schema))
    assert caught.value.code == "invalid_schema"


def test_no_wish_and_no_schema_are_fine() -> None:
    forms.check(None)
    forms.check(OBJECT)
    forms.check(ResponseFormat("json_schema", "x", {"$ref": "#"}))


@pytest.mark.parametrize(
    ("wanted", "formats", "passed", "in_words"),
    [
        (None, {"json_object", "json_schema"}, None, False),
        (PERSON, {"json_schema"}, PERSON, False),
        (OBJECT, {"json_object"}, OBJECT, False),
        (PERSON, {"json_object"}, OBJECT, True),
        (OBJECT, {"json_schema"}, None, True),
        (PERSON, set(), None, True),
    ],
)
def test_what_a_vendor_does_not_see_to_is_put_into_words(
    wanted: ResponseFormat | None,
    formats: set[str],
    passed: ResponseFormat | None,
    in_words: bool,
) -> None:
    told, words = forms.passed_on(wanted, frozenset(formats))
    assert told == passed
    assert bool(words) == in_words
    assert ('"required":["age"]' in words) == (in_words and wanted is PERSON)


def test_the_words_join_the_one_system_turn() -> None:
    asked = Turn("user", "Who?")
    assert forms.with_words([asked], "JSON!") == [Turn("system", "JSON!"), asked]
    turns = [Turn("system", "Be kind."), asked]
    assert forms.with_words(turns, "JSON!") == [Turn("system", "Be kind.\n\nJSON!"), asked]
