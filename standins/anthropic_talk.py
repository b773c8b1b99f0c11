"""What Anthropic accepts of a conversation: blocks, calls and their results, thinking as it was.

    system, tools, messages ─▶ read_system · read_tools · read_messages ─▶ blocks
    its own thinking        ─▶ sign ─▶ … ─▶ the same block, or a refusal

The sentences were seen on the wire by clients of the vendor (issues of 2025 and 2026) unless
marked (?). A signature covers the text, the model, the system text and the tools, as the vendor's
documentation says of its own ("Preserved thinking", November 2026).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from hashlib import blake2b

from standins.anthropic_words import MessagesError, typed
from standins.deepseek_rules import Object

PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
KINDS = {
    "system": ("text",),
    "user": ("text", "image", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
}
THINKING = ("thinking", "redacted_thinking")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
STARTS = (
    "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
    " (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
)
ELSEWHERE = "The block is bound to a different conversation. Remove the block."


# ── signatures ────────────────────────────────────────────────────────────────────────────────


def binding(body: Object) -> bytes:
    """What a thinking block of this request is tied to."""
    system = [block["text"] for block in read_system(body)]
    tools = [{k: v for k, v in tool.items() if k != "cache_control"} for tool in read_tools(body)]
    return json.dumps([body.get("model"), system, tools]).encode()


def sign(bound: bytes, shown: str, thought: str) -> str:
    """The signature of a thinking block: what was thought, and a seal over what is shown."""
    kept = blake2b(thought.encode("utf-8", "replace"), digest_size=16).digest()
    return base64.b64encode(kept + _mac(bound, shown, kept)).decode()


def check_thinking(path: str, block: Object, bound: bytes) -> None:
    """Whether the block is one of ours, for this model, system text and tools."""
    kind = str(block["type"])
    name, shown = ("signature", block.get("thinking")) if kind == "thinking" else ("data", "")
    if not isinstance(shown, str):
        raise MessagesError(f"{path}.thinking.thinking: Field required")
    if name not in block:
        raise MessagesError(f"{path}.{kind}.{name}: Field required")
    try:
        raw = base64.b64decode(str(block[name]), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) < 32 or raw[16:] != _mac(bound, shown, raw[:16]):
        raise MessagesError(f"{path}: Invalid `{name}` in `{kind}` block. {ELSEWHERE}")


def _mac(bound: bytes, shown: str, kept: bytes) -> bytes:
    said = kept + blake2b(bound).digest() + shown.encode("utf-8", "replace")
    return blake2b(said, key=b"stand-in", digest_size=32).digest()


# ── blocks ────────────────────────────────────────────────────────────────────────────────────


def blocks_of(path: str, content: object, role: str) -> tuple[Object, ...]:
    """The blocks of a content, none of them empty."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise MessagesError(f"{path}: Input should be a valid string or list")
    for index, block in enumerate(content):
        where = f"{path}.{index}"
        if not isinstance(block, dict) or block.get("type") not in KINDS[role]:
            raise MessagesError(f"{where}: Input tag does not match any of the expected tags")
        match block["type"]:
            case "text":
                check_text(where, block)
            case "image":
                check_image(where, block.get("source"))
            case "tool_use":
                check_call(where, block)
            case "tool_result":
                check_result(where, block)
        mark = block.get("cache_control", {"type": "ephemeral"})
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
            kind = block["type"]
            raise MessagesError(f"{where}.{kind}.cache_control.type: Input should be 'ephemeral'")
    return tuple(content)


def check_text(where: str, block: Object) -> None:
    """A text says something."""
    if not isinstance(block.get("text"), str):
        raise MessagesError(f"{where}.text.text: Input should be a valid string")
    if not block["text"]:
        raise MessagesError("messages: text content blocks must be non-empty")
    if not str(block["text"]).strip():
        raise MessagesError("messages: text content blocks must contain non-whitespace text")


def check_image(where: str, source: object) -> None:
    """A picture comes as base64, in one of four types."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise MessagesError(f"{where}.image.source: Field required")
    if source.get("media_type") not in PICTURES:
        raise MessagesError(
            f"{where}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png',"
            " 'image/gif' or 'image/webp'"
        )
    try:
        data = base64.b64decode(str(source.get("data", "")), validate=True)
    except binascii.Error:
        data = b""
    if not data:
        raise MessagesError(f"{where}.image.source.base64: invalid base64 data")


def check_call(where: str, block: Object) -> None:
    """A call has an id, a name and an object."""
    for name in ("id", "name", "input"):
        if name not in block:
            raise MessagesError(f"{where}.tool_use.{name}: Field required")
    for name in ("id", "name"):
        if not NAME.fullmatch(str(block[name])):
            raise MessagesError(f"{where}.tool_use.{name}: String should match pattern")
    if not isinstance(block["input"], dict):
        raise MessagesError(f"{where}.tool_use.input: Input should be a valid dictionary")


def check_result(where: str, block: Object) -> None:
    """A result names its call."""
    if not isinstance(block.get("tool_use_id"), str):
        raise MessagesError(f"{where}.tool_result.tool_use_id: Field required")
    if not isinstance(block.get("content", ""), str | list):
        raise MessagesError(f"{where}.tool_result.content: Input should be a valid string")
    if not isinstance(block.get("is_error", False), bool):
        raise MessagesError(f"{where}.tool_result.is_error: Input should be a valid boolean")


# ── the parts of a request ────────────────────────────────────────────────────────────────────


def read_system(body: Object) -> tuple[Object, ...]:
    """The blocks of the system text."""
    return blocks_of("system", body["system"], "system") if "system" in body else ()


def read_tools(body: Object) -> tuple[Object, ...]:
    """The tools, each with a schema of an object."""
    tools = typed(body, "tools", list, "a valid list")
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        where = f"tools.{index}.custom"
        if not isinstance(tool, dict) or not NAME.fullmatch(str(tool.get("name", ""))):
            raise MessagesError(f"{where}.name: String should match pattern")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            raise MessagesError(f"{where}.input_schema: Field required")
        if schema.get("type") != "object":
            raise MessagesError(f"{where}.input_schema.type: Input should be 'object'")
    return tuple(tools) if isinstance(tools, list) else ()


def read_tool_choice(body: Object, forces: bool, thinking: bool) -> object:
    """Who may be called, in the words of an Order. Raises MessagesError where a model is made to
    call one that does not let itself."""
    choice = typed(body, "tool_choice", dict, "a valid dictionary")
    if not isinstance(choice, dict):
        return None
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise MessagesError("tool_choice: Input tag does not match any of the expected tags")
    if not read_tools(body):
        raise MessagesError("tool_choice may only be specified while providing tools")
    if kind in ("any", "tool"):
        if thinking:
            raise MessagesError("Thinking may not be enabled when tool_choice forces tool use.")
        if not forces:
            raise MessagesError("This model does not support forced tool use.")  # (?)
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return {"any": "required"}.get(kind, kind)


def read_messages(body: Object, demands: bool) -> tuple[Object, ...]:
    """The messages, each content as blocks. `demands` is whether results need the thinking that
    led to them. Raises MessagesError."""
    said = typed(body, "messages", list, "a valid list")
    if not isinstance(said, list) or not said:
        raise MessagesError("messages: at least one message is required")
    messages: list[Object] = []
    for index, message in enumerate(said):
        path = f"messages.{index}"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise MessagesError(f"{path}: Input should have a role and a content")  # (?)
        if message["role"] not in ("user", "assistant"):
            raise MessagesError(f"{path}.role: Input should be 'user' or 'assistant'")
        role = str(message["role"])
        blocks = blocks_of(f"{path}.content", message["content"], role)
        messages.append({"role": role, "content": list(blocks)})
    if messages[0]["role"] != "user":
        raise MessagesError('messages: first message must use the "user" role')
    check_results(messages)
    check_thoughts(messages, binding(body), demands)
    return tuple(messages)


def check_results(messages: Sequence[Object]) -> None:
    """Every call once, and answered at the start of the next message; no result without its
    call."""
    seen: set[object] = set()
    waiting: list[object] = []
    for index, message in enumerate(messages):
        blocks = _blocks(message)
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if missing := [call for call in waiting if call not in results]:
            raise MessagesError(
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {', '.join(map(str, missing))}."
            )
        if strangers := [one for one in results if one not in waiting]:
            raise MessagesError(
                f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks:"
                f" {strangers[0]}."
            )
        kinds = [block["type"] == "tool_result" for block in blocks]
        if waiting and not all(kinds[: len(results)]):
            raise MessagesError(f"messages.{index}: `tool_result` blocks must come first")  # (?)
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if seen.intersection(waiting) or len(set(waiting)) < len(waiting):
            raise MessagesError(f"messages.{index}: `tool_use` ids must be unique")
        seen.update(waiting)
    if waiting:
        raise MessagesError(
            f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks"
        )


def check_thoughts(messages: Sequence[Object], bound: bytes, demands: bool) -> None:
    """Every thinking block as it was made; where results are answered and it is demanded, the
    first message since the question begins with one."""
    question = -1
    for index, message in enumerate(messages):
        blocks = _blocks(message)
        if message["role"] == "user":
            if all(block["type"] != "tool_result" for block in blocks):
                question = index
            continue
        for at, block in enumerate(blocks):
            if block["type"] in THINKING:
                check_thinking(f"messages.{index}.content.{at}", block, bound)
        if blocks and blocks[-1]["type"] in THINKING:
            raise MessagesError(
                "messages: The final block in an assistant message cannot be `thinking`."
            )
    first = question + 1
    if not demands or first >= len(messages) - 1:
        return
    kind = _blocks(messages[first])[0]["type"]
    if kind not in THINKING:
        raise MessagesError(
            f"messages.{first}.content.0.type: Expected `thinking` or `redacted_thinking`, but"
            f" found `{kind}`. {STARTS}"
        )


def _blocks(message: Object) -> list[Object]:
    content = message["content"]
    return content if isinstance(content, list) else []
