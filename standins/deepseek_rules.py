"""What DeepSeek accepts, and the sentence with which it refuses the rest (autumn 2026).

    headers ─▶ authenticate ─▶ key        body ─▶ read_order ─▶ Order
                    └───── raise RefusedError(sentence, status) ─────┘

The front end is written in Rust: a body of the wrong shape gets serde's own sentences, with line
and column. Every refusal here is 400 except those of keys and money. Sentences marked (?) were
never seen on the wire; their status and envelope were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Effort = Literal["low", "high", "max"]
Object = Mapping[str, object]

CONTEXT_TOKENS = 1_048_576
MAX_OUTPUT_TOKENS = 393_216
SERVED = {"deepseek-flash": 2500, "deepseek-v4-pro": 500}  # with the concurrency of an account
ALIASES = {
    "deepseek-v4-flash": "deepseek-flash",
    "deepseek-v4-flash-vision-exp": "deepseek-flash",
}
EFFORTS: Mapping[str, Effort | None] = {
    "none": None,
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}
ROLES = ("system", "user", "assistant", "tool", "latest_reminder")
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
SERDE = "Failed to deserialize the JSON body into the target type: "
# DeepSeek sends serde's refusals as JSON and its own as bytes (probed 2026-09-01).
OWN_TYPE = "application/octet-stream"


class RefusedError(Exception):
    """The request is not answered. `plain` refusals are text instead of the JSON envelope."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        kind: str = "invalid_request_error",
        content_type: str = OWN_TYPE,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.content_type = content_type

    def body(self, request_id: str = "") -> bytes:
        """The bytes of the refusal."""
        if self.content_type.startswith("text/plain"):
            return self.message.encode()
        note = f" (request_id: {request_id})" if request_id else ""
        code = self.kind if self.status == 503 else "invalid_request_error"
        error = {"message": self.message + note, "type": self.kind, "param": None, "code": code}
        return json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Order:
    """A request that is accepted, with the vendor's defaults filled in."""

    asked_model: str
    model: str
    messages: tuple[Object, ...]
    thinking: bool
    effort: Effort
    max_tokens: int
    stream: bool
    include_usage: bool
    stop: tuple[str, ...]
    json_mode: bool
    tools: tuple[Object, ...]
    tool_choice: object
    user: str
    prefix: Object | None
    explicit_max_tokens: int = field(default=0)

    def prompt(self) -> bytes:
        """The prompt as the model would read it: tools first, then the turns. The reasoning of
        earlier turns is part of it only when the request has tools and thinks."""
        parts = [json.dumps(tool, ensure_ascii=False) for tool in self.tools]
        for message in self.messages:
            parts.append(f"<|{message['role']}|>{text_of(message.get('content'))}")
            if self.tools and self.thinking:
                parts.append(str(message.get("reasoning_content") or ""))
            calls = message.get("tool_calls")
            if calls:
                parts.append(json.dumps(calls, ensure_ascii=False))
        return "".join(parts).encode("utf-8", "replace")

    def question(self) -> str:
        """The text of the last user message, empty when there is none."""
        for message in reversed(self.messages):
            if message["role"] == "user":
                return text_of(message.get("content"))
        return ""


def text_of(content: object) -> str:
    """The text of a message's content, which is a string, an array of parts or null."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return "".join(str(part.get("text", "")) for part in parts)


def authenticate(headers: Mapping[str, str], keys: Sequence[str]) -> str:
    """The key of the request. `keys` are the known ones; none known means that every key is."""
    given = headers.get("authorization")
    if given is None:
        plain = "text/plain; charset=utf-8"
        raise RefusedError("Authentication Fails (governor)", 401, content_type=plain)
    key = given.removeprefix("Bearer").strip()
    if not key or (keys and key not in keys):
        sentence = f"Authentication Fails, Your api key: ****{key[-4:]} is invalid"
        raise RefusedError(sentence, 401, "authentication_error", "application/json")
    return key


class Reader:
    """A body being read as serde would, remembering its bytes for line and column."""

    def __init__(self, raw: bytes) -> None:
        self._text = raw.decode("utf-8", "replace")

    def parse(self) -> Object:
        """The body as an object."""
        try:
            body = json.loads(self._text)
        except json.JSONDecodeError as error:
            what = "EOF while parsing a value" if error.pos >= len(self._text) else "expected value"
            place = f"{what} at line {error.lineno} column {error.colno}"
            raise RefusedError(
                f"Failed to parse the request body as JSON: {place}",
                content_type="application/json",
            ) from error
        if not isinstance(body, dict):
            raise self.wrong("", f"invalid type: {kind_of(body)}, expected struct ChatRequest")
        return body

    def wrong(self, path: str, what: str, value: object = None) -> RefusedError:
        """serde's refusal; `value` is where it happened, else the end of the body."""
        end = self._end_of(value)
        line = self._text.count("\n", 0, end) + 1
        column = end - (self._text.rfind("\n", 0, end) + 1)
        where = f"{path}: " if path else ""
        sentence = f"{SERDE}{where}{what} at line {line} column {column}"
        return RefusedError(sentence, content_type="application/json")

    def variant(self, path: str, value: object, allowed: Sequence[str]) -> str:
        """One of the allowed words."""
        if value not in allowed or not isinstance(value, str):
            names = ", ".join(f"`{name}`" for name in allowed)
            expected = f"expected one of {names}" if len(allowed) > 1 else f"expected {names}"
            if not isinstance(value, str):
                raise self.wrong(path, f"invalid type: {kind_of(value)}, {expected}", value)
            raise self.wrong(path, f"unknown variant `{value}`, {expected}", value)
        return value

    def typed(self, body: Object, name: str, kind: type, expected: str) -> object:
        """A field that is absent, null or of this type."""
        value = body.get(name)
        if value is None:
            return None
        number = kind is float and isinstance(value, int | float) and not isinstance(value, bool)
        integer = kind is int and isinstance(value, int) and not isinstance(value, bool)
        if number or integer or (kind not in (int, float) and isinstance(value, kind)):
            return value
        raise self.wrong(name, f"invalid type: {kind_of(value)}, expected {expected}", value)

    def _end_of(self, value: object) -> int:
        if value is not None:
            for separators in ((",", ":"), (", ", ": ")):
                shown = json.dumps(value, ensure_ascii=False, separators=separators)
                at = self._text.find(shown)
                if at >= 0:
                    return at + len(shown)
        return len(self._text.rstrip())


def kind_of(value: object) -> str:
    """serde's word for a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f'string "{value}"'
        case list():
            return "sequence"
        case _:
            return "map"


def served_model(asked: str) -> str:
    """The model that answers to this name."""
    if asked in ALIASES:
        return ALIASES[asked]
    if asked not in SERVED:
        names = " or ".join(SERVED)
        raise RefusedError(f"The supported API model names are {names}, but you passed {asked}.")
    return asked


def thinks(reader: Reader, body: Object) -> tuple[bool, Effort]:
    """Whether the model thinks, and how hard. On unless switched off; `thinking` outweighs
    `reasoning_effort` when the two disagree (?)."""
    effort: Effort | None = "high"
    asked = body.get("reasoning_effort")
    if asked is not None:
        if not (isinstance(asked, str) and asked in EFFORTS):
            reader.variant("reasoning_effort", asked, tuple(EFFORTS)[:-1])
        effort = EFFORTS[str(asked)]
    thinking = effort is not None
    switch = reader.typed(body, "thinking", dict, "struct Thinking")
    if isinstance(switch, dict):
        kind = reader.variant("thinking.type", switch.get("type"), ("enabled", "disabled"))
        thinking = kind == "enabled"
    return thinking, effort or "high"


def models() -> dict[str, object]:
    """GET /models."""
    return {"object": "list", "data": [_model(name) for name in SERVED]}


def _model(name: str) -> dict[str, object]:
    images = ["text", "image"] if name == "deepseek-flash" else ["text"]
    later = "in-history" if name == "deepseek-flash" else "leading-only"
    return {
        "id": name,
        "object": "model",
        "owned_by": "deepseek",
        "name": "DeepSeek-V4.1-Flash" if name == "deepseek-flash" else "DeepSeek-V4-Pro",
        "context_window": CONTEXT_TOKENS,
        "max_output_tokens": MAX_OUTPUT_TOKENS,
        "input_modalities": images,
        "output_modalities": ["text"],
        "effort": {"supported_levels": ["low", "high", "max"], "default_level": "high"},
        "api_capabilities": {"anthropic_messages": {"system_prompt_update": later}},
    }


def balance(total: str) -> dict[str, object]:
    """GET /user/balance; amounts are strings."""
    info = {
        "currency": "USD",
        "total_balance": total,
        "granted_balance": "0.00",
        "topped_up_balance": total,
    }
    return {"is_available": float(total) > 0, "balance_infos": [info]}
