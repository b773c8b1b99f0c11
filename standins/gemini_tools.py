"""The functions, the choice among them and the formats of a request to Gemini.

tools, toolConfig ─▶ read_tools ─▶ the tools and the choice of an Order
generationConfig ─▶ reads_json ─▶ whether the answer is JSON
            └── raise GeminiRefusal
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from standins.gemini_refusal import GeminiRefusal, Object, named

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
MODES = ("AUTO", "ANY", "NONE", "VALIDATED")
# Of JSON Schema, and of OpenAPI (google-genai 3.6.1: GenerateContentConfig, Schema).
WORDS = frozenset(
    {
        *("$anchor", "$defs", "$id", "$ref", "additionalProperties", "anyOf", "description"),
        *("enum", "format", "items", "maxItems", "maximum", "minItems", "minimum", "oneOf"),
        *("prefixItems", "properties", "propertyOrdering", "required", "title", "type"),
    }
)
OPEN_WORDS = frozenset(
    {
        *("additionalProperties", "anyOf", "default", "defs", "description", "enum", "example"),
        *("format", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems"),
        *("minLength", "minProperties", "minimum", "nullable", "pattern", "properties"),
        *("propertyOrdering", "ref", "required", "title", "type"),
    }
)
Tools = tuple[Object, ...]


def read_tools(body: Object) -> tuple[Tools, object]:
    """The functions in the shape of OpenAI's dialect, and the choice: None, "required" or one
    function. None are there where none may be called. Raises GeminiRefusal."""
    declared = [
        _declaration(f"tools[{index}].function_declarations[{place}]", named(one))
        for index, tool in enumerate(_rows(body.get("tools")))
        for place, one in enumerate(_rows(named(tool).get("functionDeclarations")))
    ]
    names = [str(one["name"]) for one in declared]
    for name in names:
        if names.count(name) > 1:
            raise GeminiRefusal(f"Duplicate function declaration found: {name}")
    choice = _choice(named(named(body.get("toolConfig")).get("functionCallingConfig")), names)
    tools = tuple({"type": "function", "function": one} for one in declared)
    return ((), None) if choice == "none" else (tools, choice)


def _rows(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _declaration(where: str, given: Object) -> dict[str, object]:
    name = str(given.get("name", ""))
    if not NAME.fullmatch(name):
        raise GeminiRefusal(
            f"* GenerateContentRequest.{where}.name: Invalid function name. Must start with a"
            " letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots"
            " (.), colons (:), or dashes (-), with a maximum length of 128.\n"
        )
    plain, schema = given.get("parameters"), given.get("parametersJsonSchema")
    if plain is not None and schema is not None:
        raise GeminiRefusal(
            f"{where}: parameters and parameters_json_schema must not both be set."  # (?)
        )
    check_schema(plain, f"{where}.parameters", OPEN_WORDS)
    check_schema(schema, f"{where}.parameters_json_schema", WORDS)
    parameters = plain or schema or {}
    if schema is not None and named(schema).get("type") != "object":
        raise GeminiRefusal(f"{where}.parameters_json_schema: must describe an object.")  # (?)
    return {"name": name, "parameters": _lower(parameters)}


def _lower(schema: object) -> object:
    """With the types as JSON Schema writes them: OpenAPI's are in capitals here."""
    if isinstance(schema, Mapping):
        return {
            name: value.lower() if name == "type" and isinstance(value, str) else _lower(value)
            for name, value in schema.items()
        }
    return schema


def _choice(config: Object, names: list[str]) -> object:
    mode, allowed = str(config.get("mode") or "AUTO"), _rows(config.get("allowedFunctionNames"))
    if mode not in MODES:
        raise GeminiRefusal(
            "Invalid value at 'tool_config.function_calling_config.mode'"
            f' (type.googleapis.com/google.ai.generativelanguage.v1beta.Mode), "{mode}"'
        )
    if config and not names:
        raise GeminiRefusal("Function calling config is set without function_declarations.")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise GeminiRefusal("Allowed function names can only be set with mode ANY.")  # (?)
    for name in allowed:
        if name not in names:
            raise GeminiRefusal(f"Allowed function name {name} is not declared.")  # (?)
    if mode == "NONE":
        return "none"
    if mode != "ANY":
        return None
    return {"function": {"name": allowed[0]}} if len(allowed) == 1 else "required"


def check_schema(schema: object, where: str, words: frozenset[str]) -> None:
    """Only words that are known, wherever a schema may stand. Raises GeminiRefusal."""
    if schema is None or isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise GeminiRefusal(f"Invalid value at '{where}'")  # (?)
    for word in schema:
        if word not in words:
            sentence = f"Invalid JSON payload received. Unknown name \"{word}\" at '{where}'"
            raise GeminiRefusal(f"{sentence}: Cannot find field.")
    if "$ref" in schema and any(not word.startswith("$") for word in schema):
        raise GeminiRefusal(f"{where}: beside $ref there may be no other fields.")  # (?)
    for place, inner in _below(schema):
        check_schema(inner, f"{where}.{place}", words)


def _below(schema: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for word in ("properties", "$defs", "defs"):
        for name, inner in schema.get(word, {}).items():
            yield f"{word}.{name}", inner
    for word in ("items", "additionalProperties"):
        yield word, schema.get(word)
    for word in ("anyOf", "oneOf", "prefixItems"):
        for index, inner in enumerate(schema.get(word) or ()):
            yield f"{word}[{index}]", inner


def reads_json(config: Object, *, calls: bool, mixes: bool) -> bool:
    """Whether the answer has to be JSON. `calls`: there are functions; `mixes`: the model takes
    both at once. Raises GeminiRefusal."""
    kind = config.get("responseMimeType") or "text/plain"
    if kind not in ("text/plain", "application/json", "text/x.enum"):
        raise GeminiRefusal(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are"
            " `text/plain`, `application/json`, `application/xml`, `application/yaml` and"
            " `text/x.enum`.\n"
        )
    plain, schema = config.get("responseSchema"), config.get("responseJsonSchema")
    if plain is not None and schema is not None:
        raise GeminiRefusal("Only one of response_schema and response_json_schema may be set.")
    check_schema(plain, "generation_config.response_schema", OPEN_WORDS)
    check_schema(schema, "generation_config.response_json_schema", WORDS)
    if (plain or schema) and kind == "text/plain":
        raise GeminiRefusal("Response schema is only supported for JSON.")  # (?)
    if kind != "text/plain" and calls and not mixes:
        raise GeminiRefusal(f"Function calling with a response mime type: '{kind}' is unsupported")
    return kind == "application/json"
