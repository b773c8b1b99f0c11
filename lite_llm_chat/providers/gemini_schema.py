"""A JSON schema in the words that Gemini understands.

    {"type": "object", "properties": {"n": {"const": 7}}, "$schema": …} ─▶ understood
                                          └ {"enum": [7]}        └ left out

Gemini takes a part of JSON Schema, for a function's arguments (parametersJsonSchema) and for an
answer (responseJsonSchema); SDK, types.GenerateContentConfig, names the words, and that beside a
`$ref` there may be none but those with a `$`. `title` is one of them, but disturbs the order of
properties (python-genai 1732, 2025), and says nothing that a description does not.

What is left out makes the schema wider, never narrower: whoever needs it strict checks the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_PLAIN = frozenset(
    {
        "$anchor",
        "$id",
        "description",
        "format",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "propertyOrdering",
        "required",
        "type",
    }
)
_ONE = frozenset({"items", "additionalProperties"})
_LIST = frozenset({"prefixItems", "anyOf", "oneOf"})
_NAMED = frozenset({"properties", "$defs"})
_DEEPEST = 64  # levels; more would be nobody's, and would wear out the interpreter
_OLD_PLACE, _PLACE = "#/definitions/", "#/$defs/"  # until draft 7, and since


def understood(schema: Schema, levels: int = _DEEPEST) -> dict[str, Any]:
    """The schema with only what Gemini understands, in its order; below so many levels anything
    is allowed."""
    schema = _joined(schema) if levels else {}
    if "$ref" in schema:
        schema = {name: value for name, value in schema.items() if name.startswith("$")}
    words: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "$ref" and isinstance(value, str):
            words[name] = value.replace(_OLD_PLACE, _PLACE)
        elif name in _PLAIN:
            words[name] = value
        elif name in _ONE:
            words[name] = _inner(value, levels)
        elif name in _LIST and isinstance(value, list):
            words[name] = [_inner(one, levels) for one in value]
        elif name in _NAMED and isinstance(value, Mapping):
            words[name] = {key: _inner(one, levels) for key, one in value.items()}
        elif name == "enum" and _may_be_chosen(value):
            words[name] = value
    return words


def _joined(schema: Schema) -> Schema:
    """Words that Gemini does not know, in words that it does."""
    words = dict(schema)
    if isinstance(old := words.pop("definitions", None), Mapping):
        words["$defs"] = {**old, **words.get("$defs", {})}
    if "const" in words:
        words["enum"] = [words.pop("const")]
    alone = words.get("allOf")
    if isinstance(alone, list) and len(alone) == 1 and isinstance(alone[0], Mapping):
        words |= alone[0]
    return words


def _inner(value: object, levels: int) -> object:
    return understood(value, levels - 1) if isinstance(value, Mapping) else value


def _may_be_chosen(values: object) -> bool:
    """An enum is of texts and numbers (SDK)."""
    return isinstance(values, list) and all(type(one) in (str, int, float) for one in values)
