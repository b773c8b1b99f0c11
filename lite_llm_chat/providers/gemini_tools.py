"""The functions that Gemini may call, in its words.

    Prompt.tools, tool_choice ─▶ declared ─▶ tools: [{functionDeclarations}]
                             └─▶ mode ─▶ toolConfig: {functionCallingConfig}

    SDK   a declaration has its arguments in `parameters`, a part of OpenAPI, or as a JSON schema
          in `parametersJsonSchema`; the field may be left out where there are none
    SDK   functionCallingConfig: AUTO, NONE, ANY (a call for certain; allowedFunctionNames says of
          what), VALIDATED (as AUTO, but calls keep to their schema)

    PA    VALIDATED: by 2.5 and later

A `strict` function is VALIDATED if all are, the choice is the model's and the model knows how.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Tool
from .gemini_schema import understood

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def declared(tools: Sequence[Tool]) -> list[dict[str, object]]:
    """The field `tools`."""
    return [{"functionDeclarations": [_declaration(tool) for tool in tools]}]


def mode(tools: Sequence[Tool], choice: str | None, *, validates: bool) -> dict[str, object]:
    """The field `toolConfig`, empty where the model chooses by itself. `validates`: the model can
    be held to the schemas."""
    kind, _, name = (choice or "").partition(":")
    if kind == "tool":
        return _config({"mode": "ANY", "allowedFunctionNames": [name]})
    if validates and kind in ("", "auto") and all(tool.strict for tool in tools):
        return _config({"mode": "VALIDATED"})
    return _config({"mode": _MODES[kind]}) if kind else {}


def _config(calling: dict[str, object]) -> dict[str, object]:
    return {"functionCallingConfig": calling}


def _declaration(tool: Tool) -> dict[str, object]:
    declaration: dict[str, object] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if tool.parameters:
        declaration["parametersJsonSchema"] = {"type": "object", **understood(tool.parameters)}
    return declaration
