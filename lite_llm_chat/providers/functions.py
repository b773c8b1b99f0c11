"""Function tools and the form of the text in the words of OpenAI's dialect, which others borrow.

Prompt.tools · Options.tool_choice ──▶ tools, tool_choice, parallel_tool_calls
Options.response_format ─────────────▶ response_format
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Options, ResponseFormat, Tool


def function_tools(tools: Sequence[Tool], *, strict: bool = True) -> list[dict[str, object]]:
    """The list for the field `tools`; without `strict` for a vendor that does not know it."""
    return [{"type": "function", "function": _function(tool, strict)} for tool in tools]


def chosen(choice: str) -> object:
    """The value of the field `tool_choice`."""
    name = choice.removeprefix("tool:")
    return choice if name == choice else {"type": "function", "function": {"name": name}}


def is_forced(options: Options) -> str:
    """Which call is forced: "required", "named" or ""."""
    choice = options.tool_choice or ""
    return "named" if choice.startswith("tool:") else choice if choice == "required" else ""


def format_field(wanted: ResponseFormat) -> dict[str, object]:
    """The value of the field `response_format`."""
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: dict[str, object] = {"name": wanted.name, "schema": dict(wanted.schema or {})}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _function(tool: Tool, strict: bool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if strict and tool.strict is not None:
        function["strict"] = tool.strict
    return function
