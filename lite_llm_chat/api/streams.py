"""What the two event streams look like, for the OpenAPI description.

An event's `data` is JSON, one of a few shapes. A shape may gain fields and never loses one.
"""

from __future__ import annotations

from collections.abc import Mapping

Schema = dict[str, object]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}
ANY: Schema = {}


def _shape(fields: Mapping[str, Schema]) -> Schema:
    """An object that has at least these fields."""
    return {"type": "object", "required": list(fields), "properties": dict(fields)}


def _event(shapes: list[Schema], names: list[str] | None = None) -> Schema:
    """A media type whose items are events with one of these shapes as data."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": shapes},
    }
    properties: Schema = {"data": data}
    if names is not None:
        properties |= {"id": TEXT, "event": {"enum": names}}
    return {"itemSchema": {"type": "object", "required": ["data"], "properties": properties}}


_IDS = {"session_id": COUNT, "generation_id": TEXT, "message_id": COUNT}
_SAID = [_shape({"content": TEXT}), _shape({"reasoning": TEXT})]

_CALL = _shape({"id": TEXT, "name": TEXT, "arguments": TEXT})
_RESULT = _shape({"id": TEXT, "content": TEXT, "failed": {"type": "boolean"}})
_APPROVAL = _shape({"id": TEXT, "state": TEXT})
_WARNINGS: Schema = {"type": "array", "items": TEXT}
_REROUTED = _shape({"provider": TEXT, "model": TEXT, "reason": TEXT, "warnings": _WARNINGS})

_ENDED = _shape({"status": TEXT, "finish_reason": ANY, "usage": ANY, "error": ANY})

PLAIN_EVENTS = _event(
    [
        _shape(_IDS),
        *_SAID,
        _shape({"tool_call": _CALL}),
        _shape({"tool_result": _RESULT}),
        _shape({"approval": _APPROVAL}),
        _shape({"rerouted": _REROUTED}),
        _shape({"slot": COUNT, "ended": _ENDED}),
        _shape({"done": {"const": True}}),
        _shape({"error": TEXT, "code": TEXT}),
    ]
)
NUMBERED_EVENTS = _event(
    [
        _shape({**_IDS, "provider": TEXT, "model": TEXT, "warnings": {"type": "array"}}),
        *_SAID,
        _CALL,
        _RESULT,
        _APPROVAL,
        _REROUTED,
        _shape({"maker": TEXT}),
        _ENDED,
        _shape({"seq": COUNT}),
        {"$ref": "#/components/schemas/MessageOut"},
        _shape({"code": TEXT, "detail": TEXT}),
    ],
    [
        "started",
        "text",
        "reasoning",
        "tool_call",
        "tool_result",
        "approval",
        "rerouted",
        "seal",
        "ended",
        "caught_up",
        "snapshot",
        "shutdown",
    ],
)
