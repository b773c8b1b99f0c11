"""JSON schemas in Gemini's words: what it does not know is left out, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from lite_llm_chat.domain import Tool
from lite_llm_chat.providers.gemini_schema import understood
from lite_llm_chat.providers.gemini_tools import declared, mode
from standins.gemini_tools import WORDS, check_schema

ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}}}
RICH: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Trip",
    "type": "object",
    "definitions": {"Place": {**ADDRESS, "additionalProperties": False}},
    "$defs": {"Day": {"type": "integer", "minimum": 1, "exclusiveMaximum": 32}},
    "properties": {
        "title": {"type": "string", "title": "Title", "pattern": "^[A-Z]"},
        "const": {"const": "trip"},
        "examples": {"type": "array", "items": {"$ref": "#/definitions/Place"}, "examples": [[]]},
        "day": {"$ref": "#/$defs/Day", "description": "of the month"},
        "kind": {"anyOf": [{"enum": ["a", 1, 2.5]}, {"type": "null", "default": None}]},
        "flag": {"enum": [True, None, "x"]},
        "home": {"allOf": [{"$ref": "#/definitions/Place"}], "description": "where"},
        "pair": {"prefixItems": [{"type": "string", "minLength": 1}, True], "maxItems": 2},
    },
    "required": ["title"],
    "additionalProperties": {"type": ["string", "null"], "readOnly": True},
    "if": {"properties": {"day": {"const": 1}}},
}


def test_what_gemini_knows_stays_and_the_rest_goes() -> None:
    place = {"$ref": "#/$defs/Place"}
    assert understood(RICH) == {
        "type": "object",
        "$defs": {
            "Place": {**ADDRESS, "additionalProperties": False},
            "Day": {"type": "integer", "minimum": 1},
        },
        "properties": {
            "title": {"type": "string"},
            "const": {"enum": ["trip"]},
            "examples": {"type": "array", "items": place},
            "day": {"$ref": "#/$defs/Day"},
            "kind": {"anyOf": [{"enum": ["a", 1, 2.5]}, {"type": "null"}]},
            "flag": {},
            "home": place,
            "pair": {"prefixItems": [{"type": "string"}, True], "maxItems": 2},
        },
        "required": ["title"],
        "additionalProperties": {"type": ["string", "null"]},
    }


def test_it_has_only_words_that_the_stand_in_takes_and_the_one_before_has_others() -> None:
    check_schema(understood(RICH), "schema", WORDS)
    with pytest.raises(Exception, match="Unknown name"):
        check_schema(RICH, "schema", WORDS)


def test_the_schema_of_the_caller_is_not_changed() -> None:
    before = json.dumps(RICH)
    understood(RICH)
    assert json.dumps(RICH) == before


@pytest.mark.parametrize(
    "value",
    [
        {"title": "Rome"},
        {"title": "Rome", "const": "trip", "day": 3, "kind": None, "flag": True},
        {"title": "Rome", "home": {"street": "Via Sacra"}, "pair": ["a", 1], "more": None},
    ],
)
def test_what_a_schema_allows_its_shorter_form_allows_too(value: object) -> None:
    assert jsonschema_rs.validator_for(RICH).is_valid(value)
    assert jsonschema_rs.validator_for(understood(RICH)).is_valid(value)


@pytest.mark.parametrize("value", [{}, {"title": 5}, {"title": "a", "const": "b"}, [], "text"])
def test_what_both_can_say_both_refuse(value: object) -> None:
    assert not jsonschema_rs.validator_for(RICH).is_valid(value)
    assert not jsonschema_rs.validator_for(understood(RICH)).is_valid(value)


@pytest.mark.parametrize("odd", [{"anyOf": 5}, {"properties": []}, {"enum": "a"}, {"$ref": 7}])
def test_a_schema_that_is_none_does_not_make_it_stumble(odd: dict[str, Any]) -> None:
    assert understood(odd) == {}


def test_a_schema_without_a_bottom_ends_somewhere() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        deep = {"items": deep}
    levels, inner = 0, understood(deep)
    while inner:
        levels, inner = levels + 1, inner["items"]
    assert levels == 64


# ── functions ─────────────────────────────────────────────────────────────────────────────────


def test_a_function_without_arguments_has_no_schema() -> None:
    assert declared([Tool("now")]) == [{"functionDeclarations": [{"name": "now"}]}]


def test_a_schema_of_arguments_is_one_of_an_object() -> None:
    tool = Tool("f", "does it", {"properties": {"a": {"type": "string"}}})
    (row,) = declared([tool])
    assert row == {
        "functionDeclarations": [
            {
                "name": "f",
                "description": "does it",
                "parametersJsonSchema": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}},
                },
            }
        ]
    }


@pytest.mark.parametrize(
    ("choice", "strict", "config"),
    [
        (None, None, {}),
        ("auto", None, {"mode": "AUTO"}),
        ("none", None, {"mode": "NONE"}),
        ("required", True, {"mode": "ANY"}),
        ("tool:f", None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (None, True, {"mode": "VALIDATED"}),
        ("auto", True, {"mode": "VALIDATED"}),
        (None, False, {}),
    ],
)
def test_the_choice_is_a_mode(choice: str | None, strict: bool | None, config: object) -> None:
    tools = [Tool("f", strict=strict), Tool("g", strict=strict)]
    assert mode(tools, choice, validates=True) == (
        {"functionCallingConfig": config} if config else {}
    )


def test_one_function_that_is_not_strict_leaves_all_as_they_are() -> None:
    assert mode([Tool("f", strict=True), Tool("g")], None, validates=True) == {}


def test_a_model_that_cannot_be_held_to_a_schema_is_not_asked_to() -> None:
    tools = [Tool("f", strict=True)]
    assert mode(tools, None, validates=False) == {}
    auto = {"functionCallingConfig": {"mode": "AUTO"}}
    assert mode(tools, "auto", validates=False) == auto
