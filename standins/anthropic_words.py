"""How Anthropic refuses: a sentence in its envelope, and the reading of one field.

MessagesError ─▶ {"type":"error","error":{"type":…,"message":…},"request_id":…}
"""

from __future__ import annotations

import json

from standins.deepseek_rules import Object, RefusedError


class MessagesError(RefusedError):
    """A refusal in Anthropic's envelope."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message, status, kind, "application/json")

    def body(self, request_id: str = "") -> bytes:
        """The bytes of the refusal."""
        return error_body(self.kind, self.message, request_id)


def error_body(kind: str, message: str, request_id: str = "") -> bytes:
    """The envelope of an error, before a stream or in it."""
    said: dict[str, object] = {"type": "error", "error": {"type": kind, "message": message}}
    if request_id:
        said["request_id"] = request_id
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def typed(body: Object, name: str, kind: type, expected: str) -> object:
    """A field that is absent or of this type; a whole number is a number too."""
    value = body.get(name)
    if value is None and name not in body:
        return None
    number = kind is float and isinstance(value, int | float)
    if isinstance(value, bool) is not (kind is bool) or not (number or isinstance(value, kind)):
        raise MessagesError(f"{name}: Input should be {expected}")
    return value
