"""A refusal in Google's envelope, and names as Google reads them.

raise GeminiRefusal(sentence, status, details) ─▶ body: {error: {code, message, status, details}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from standins.deepseek_rules import RefusedError

Object = Mapping[str, object]

STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiRefusal(RefusedError):
    """The request is not answered; `kind` is the gRPC status."""

    def __init__(self, message: str, status: int = 400, details: tuple[Object, ...] = ()) -> None:
        super().__init__(message, status, STATUSES.get(status, "UNKNOWN"), "application/json")
        self.details = details

    def body(self, request_id: str = "") -> bytes:  # noqa: ARG002 - Gemini's have none
        """The bytes of the refusal: over several lines, as Google writes it."""
        error: dict[str, object] = {"code": self.status, "message": self.message}
        error["status"] = self.kind
        if self.details:
            error["details"] = list(self.details)
        return json.dumps({"error": error}, ensure_ascii=False, indent=2).encode() + b"\n"


def named(given: object) -> Object:
    """An object under the names of JSON: a proto's own names are taken as well, and the official
    client sends some (`include_thoughts`)."""
    rows = given if isinstance(given, dict) else {}
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): rows[key] for key in rows}
