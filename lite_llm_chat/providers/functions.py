"""Function tools in the words of OpenAI's dialect, which others borrow."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Tool


def function_tools(tools: Sequence[Tool]) -> list[dict[str, object]]:
    """The list for the field `tools`."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def _function(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function
