"""Reading an order: the body of a chat request, checked rule by rule.

    bytes ─▶ shape (serde's sentences) ─▶ values ─▶ rules between fields ─▶ size ─▶ Order

The order of the checks is a guess; each check and its sentence is not, unless marked (?).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from standins.accounting import estimate
from standins.deepseek_rules import (
    CONTEXT_TOKENS,
    MAX_OUTPUT_TOKENS,
    NAME,
    ROLES,
    Effort,
    Object,
    Order,
    Reader,
    RefusedError,
    kind_of,
    served_model,
    text_of,
    thinks,
)

RANGES = {  # field: (lowest, highest, how the vendor writes the range)
    "temperature": (0.0, 2.0, "[0, 2]"),
    "frequency_penalty": (-2.0, 2.0, "[-2, 2]"),
    "presence_penalty": (-2.0, 2.0, "[-2, 2]"),
}
PAIR = (
    "Invalid top_logprobs and logprobs value, logprobs must be set to true if top_logprobs is used."
)
RANGE = "Invalid top_logprobs value, the valid range of top_logprobs is [0, 20]."
REASONING = "The `reasoning_content` in the thinking mode must be passed back to the API."
ORPHAN = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
CALLS = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to "
    "each 'tool_call_id'"
)


def read_order(raw: bytes, beta: bool) -> Order:
    """The order in these bytes; `beta` when it came to the beta base URL. Raises RefusedError."""
    reader = Reader(raw)
    body = reader.parse()
    for name in ("messages", "model"):
        if name not in body:
            raise reader.wrong("", f"missing field `{name}`")
    asked = body["model"]
    if not isinstance(asked, str):
        raise reader.wrong("model", f"invalid type: {kind_of(asked)}, expected a string", asked)
    messages = read_messages(reader, body["messages"])
    stream = reader.typed(body, "stream", bool, "a boolean") is True
    thinking, effort = thinks(reader, body)
    stop = read_stop(reader, body)
    tools = read_tools(reader, body, beta)
    model = served_model(asked)
    if not messages:
        raise RefusedError("Empty input messages")
    check_ranges(reader, body)
    check_images(model, messages)
    check_tool_chain(messages)
    include_usage = check_stream_options(reader, body, stream)
    choice = read_tool_choice(reader, body, thinking)
    if tools and thinking:
        check_reasoning(messages)
    asked_tokens = reader.typed(body, "max_tokens", int, "u32")
    given = asked_tokens if isinstance(asked_tokens, int) else 0
    order = Order(
        asked,
        model,
        messages,
        thinking,
        effort,
        given or default_max_tokens(thinking, effort),
        stream,
        include_usage,
        stop,
        read_json_mode(reader, body, messages),
        tools,
        choice,
        read_user(reader, body),
        read_prefix(messages, beta),
        given,
    )
    check_size(order)
    return order


def default_max_tokens(thinking: bool, effort: Effort) -> int:
    """How long an answer may be when the request does not say."""
    if not thinking:
        return 8_192
    return 131_072 if effort == "max" else 65_536


# ── shape ─────────────────────────────────────────────────────────────────────────────────────


def read_messages(reader: Reader, value: object) -> tuple[Object, ...]:
    """The messages; roles and types of content are serde's business."""
    if not isinstance(value, list):
        raise reader.wrong(
            "messages", f"invalid type: {kind_of(value)}, expected a sequence", value
        )
    for index, message in enumerate(value):
        read_message(reader, f"messages[{index}]", message)
    return tuple(value)


def read_message(reader: Reader, path: str, message: object) -> None:
    """One message."""
    if not isinstance(message, dict):
        expected = "expected internally tagged enum ChatCompletionRequestMessage"
        raise reader.wrong(path, f"invalid type: {kind_of(message)}, {expected}", message)
    if "role" not in message:
        raise reader.wrong(path, "missing field `role`", message)
    role = reader.variant(f"{path}.role", message["role"], ROLES)
    if role == "tool" and "tool_call_id" not in message:
        raise reader.wrong(path, "missing field `tool_call_id`", message)
    content = message.get("content")
    if content is None:
        silent = "content" in message or message.get("tool_calls") or message.get("prefix")
        if role == "assistant" and silent:
            return
        raise reader.wrong(path, "missing field `content`", message)
    if isinstance(content, str):
        return
    if role not in ("user", "tool") or not isinstance(content, list):
        raise reader.wrong(path, f"invalid type: {kind_of(content)}, expected a string", message)
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else part
        reader.variant(path, kind, ("text", "image_url", "file"))


def read_stop(reader: Reader, body: Object) -> tuple[str, ...]:
    """The stop strings."""
    stop = body.get("stop")
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,)
    if not isinstance(stop, list) or not all(isinstance(one, str) for one in stop):
        raise reader.wrong("stop", "data did not match any variant of untagged enum Stop", stop)
    if len(stop) > 16:
        raise RefusedError(f"Stop string array too long: {len(stop)}")
    return tuple(stop)


def read_tools(reader: Reader, body: Object, beta: bool) -> tuple[Object, ...]:
    """The function tools."""
    tools = reader.typed(body, "tools", list, "a sequence")
    if not isinstance(tools, list):
        return ()
    if len(tools) > 128:
        raise RefusedError(f"Tools array too long: {len(tools)}")  # (?)
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise reader.wrong(path, f"invalid type: {kind_of(tool)}, expected struct Tool", tool)
        reader.variant(f"{path}.type", tool.get("type"), ("function",))
        function = tool.get("function")
        if not isinstance(function, dict):
            raise reader.wrong(path, "missing field `function`", tool)
        check_function(reader, path, function, beta)
    return tuple(tools)


def check_function(reader: Reader, path: str, function: Object, beta: bool) -> None:
    """One function: its name, and strictness only where that is offered."""
    if "name" not in function:
        raise reader.wrong(f"{path}.function", "missing field `name`", function)
    if not NAME.fullmatch(str(function["name"])):
        pattern = "'^[a-zA-Z0-9_-]+$'"
        raise RefusedError(
            f"Invalid '{path}.function.name': string does not match pattern. "
            f"Expected a string that matches the pattern {pattern}."
        )
    if function.get("strict") and not beta:
        raise RefusedError("Strict mode for tools needs the beta base URL")  # (?)


def read_tool_choice(reader: Reader, body: Object, thinking: bool) -> object:
    """none, auto, required or a named function; the last two not while thinking."""
    choice = body.get("tool_choice")
    if choice is None or choice in ("none", "auto"):
        return choice
    if choice != "required" and not (isinstance(choice, dict) and "function" in choice):
        what = "expected one of `none`, `auto`, `required` or a tool"
        raise reader.wrong("tool_choice", what, choice)
    if thinking:
        raise RefusedError("Thinking mode does not support this tool_choice")
    return choice


def read_user(reader: Reader, body: Object) -> str:
    """The end user, each with a cache of their own."""
    user = reader.typed(body, "user_id", str, "a string")
    if user is None:
        return ""
    if len(str(user).encode("utf-8", "replace")) > 512:
        raise RefusedError("Invalid user_id value, the valid length of user_id is [1, 512]")  # (?)
    return str(user)


# ── values and rules between fields ───────────────────────────────────────────────────────────


def check_ranges(reader: Reader, body: Object) -> None:
    """Numbers within their ranges."""
    for name, (low, high, shown) in RANGES.items():
        value = reader.typed(body, name, float, "f32")
        if isinstance(value, int | float) and not low <= value <= high:
            raise RefusedError(f"Invalid {name} value, the valid range of {name} is {shown}")
    top_p = reader.typed(body, "top_p", float, "f32")
    if isinstance(top_p, int | float) and not 0 < top_p <= 1:
        raise RefusedError("Invalid top_p value, the valid range of top_p is (0, 1.0]")
    limit = reader.typed(body, "max_tokens", int, "u32")
    if isinstance(limit, int) and not 1 <= limit <= MAX_OUTPUT_TOKENS:
        shown = f"[1, {MAX_OUTPUT_TOKENS}]"
        raise RefusedError(f"Invalid max_tokens value, the valid range of max_tokens is {shown}")
    top = reader.typed(body, "top_logprobs", int, "u8")
    if isinstance(top, int):
        if top < 0:
            raise reader.wrong("top_logprobs", f"invalid value: integer `{top}`, expected u8", top)
        if body.get("logprobs") is not True:
            raise RefusedError(PAIR)
        if top > 20:
            raise RefusedError(RANGE)


def check_stream_options(reader: Reader, body: Object, stream: bool) -> bool:
    """stream_options only beside stream; returns whether usage was asked for."""
    options = reader.typed(body, "stream_options", dict, "struct StreamOptions")
    if options is None:
        return False
    if not stream:
        raise RefusedError("stream_options should be set along with stream = true")
    return isinstance(options, dict) and options.get("include_usage") is True


def read_json_mode(reader: Reader, body: Object, messages: Sequence[Object]) -> bool:
    """json_object, and then the prompt has to say so too."""
    asked = reader.typed(body, "response_format", dict, "struct ResponseFormat")
    if not isinstance(asked, dict):
        return False
    kinds = ("text", "json_object", "json_schema")
    kind = reader.variant("response_format.type", asked.get("type"), kinds)
    if kind == "json_schema":
        raise RefusedError("This response_format type is unavailable now")
    if kind == "json_object":
        said = "".join(text_of(message.get("content")) for message in messages)
        if "json" not in said.lower():
            raise RefusedError(
                "Prompt must contain the word 'json' in some form to use 'response_format' "
                "of type 'json_object'."
            )
    return kind == "json_object"


def check_images(model: str, messages: Sequence[Object]) -> None:
    """Only flash sees."""
    parts = (part for message in messages for part in parts_of(message))
    if model != "deepseek-flash" and any(part.get("type") != "text" for part in parts):
        raise RefusedError("This model does not support image")


def parts_of(message: Object) -> list[Object]:
    """The parts of a message's content, none when it is a string."""
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def check_tool_chain(messages: Sequence[Object]) -> None:
    """Every call is answered before anything else is said, and nothing else is answered."""
    pending: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            answered = str(message.get("tool_call_id"))
            if not pending:
                raise RefusedError(ORPHAN)
            if answered not in pending:
                ids = ", ".join(pending)
                sentence = (
                    f"{CALLS}, The following tool_call_ids did not have response messages: {ids}"
                )
                raise RefusedError(sentence)
            pending.remove(answered)
            continue
        if pending:
            break
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            pending = [str(call.get("id")) for call in calls if isinstance(call, dict)]
    if pending:
        raise RefusedError(f"{CALLS}. (insufficient tool messages following tool_calls message)")


def check_reasoning(messages: Sequence[Object]) -> None:
    """With tools and thinking every assistant turn carries its reasoning, be it empty. The
    vendor is lenient at times; this is the strict reading."""
    for message in messages:
        if message["role"] == "assistant" and message.get("reasoning_content") is None:
            raise RefusedError(REASONING)


def read_prefix(messages: Sequence[Object], beta: bool) -> Object | None:
    """The last message when the answer shall go on from it."""
    for message in messages:
        if message.get("prefix") and message is not messages[-1]:
            raise RefusedError("Only the last message may be a prefix")  # (?)
    last = messages[-1]
    if not last.get("prefix"):
        return None
    if last["role"] != "assistant":
        raise RefusedError("A prefix must be a message of the assistant")  # (?)
    if not beta:
        raise RefusedError("Chat prefix completion needs the beta base URL")  # (?)
    return last


def check_size(order: Order) -> None:
    """The prompt and the answer that was asked for fit the window together."""
    prompt = estimate(order.prompt())
    total = prompt + order.explicit_max_tokens
    if total > CONTEXT_TOKENS:
        raise RefusedError(
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, you "
            f"requested {total} tokens ({prompt} in the messages, {order.explicit_max_tokens} in "
            f"the completion). Please reduce the length of the messages or completion."
        )


def tool_names(order: Order) -> list[str]:
    """The names of the functions of the order."""
    functions = (tool.get("function") for tool in order.tools)
    return [str(one["name"]) for one in functions if isinstance(one, dict)]


def example_arguments(order: Order, name: str) -> str:
    """Arguments a model might write for this function: every property of its schema, filled."""
    for tool in order.tools:
        function = tool.get("function")
        if isinstance(function, dict) and function.get("name") == name:
            schema = function.get("parameters")
            properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
            filled = {key: _example(kind) for key, kind in properties.items()}
            return json.dumps(filled, ensure_ascii=False)
    return "{}"


def _example(schema: object) -> object:
    kind = schema.get("type") if isinstance(schema, dict) else "string"
    examples = {"integer": 7, "number": 2.5, "boolean": True, "array": [], "object": {}}
    return examples.get(str(kind), "Paris")
