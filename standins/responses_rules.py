"""What OpenAI's Responses API accepts, and the sentence with which it refuses the rest (2026).

    headers ─▶ authenticate ─▶ key       body ─▶ read_wish ─▶ Wish
                    └──── raise ResponsesError(sentence, status) ────┘

Fields and values are those of the types of the vendor's Python SDK 3.54.0, the sentences those that
clients reported of the live API in 2025 and 2026; one marked (?) was never seen, its status and
envelope were. Only what a stateless client sends is known here: `store` has to be false.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from standins.deepseek_rules import Object, Order, RefusedError

FIELDS = frozenset(
    {"model", "input", "instructions", "stream", "store", "include", "reasoning", "text", "tools"}
    | {"tool_choice", "parallel_tool_calls", "max_output_tokens", "temperature", "top_p", "user"}
    | {"metadata", "truncation", "service_tier", "stream_options", "top_logprobs", "background"}
    | {"max_tool_calls", "previous_response_id", "prompt_cache_key", "safety_identifier"}
)
LEAST_OUTPUT = 16
LONGEST_ID = 64
SEALED = "reasoning.encrypted_content"
TEXTS = {"user": "input_text", "system": "input_text", "developer": "input_text"}


@dataclass(frozen=True, slots=True)
class Family:
    """What a model takes: its efforts, the first one unasked; none: it does not reason."""

    efforts: tuple[str, ...] = ()
    max_tokens: int = 128_000


LADDER = ("low", "medium", "high", "xhigh", "max")
FAMILIES: Mapping[str, Family] = {
    "gpt-6-luna": Family(("none", *LADDER)),
    "gpt-6.1-terra": Family(("none", *LADDER)),
    "gpt-6.1-sol": Family(("medium", "low", "high", "xhigh", "max")),
    "o3": Family(("medium", "low", "high"), 100_000),
    "gpt-4.1": Family((), 32_768),
}


class ResponsesError(RefusedError):
    """A refusal in OpenAI's envelope."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message, status, "invalid_request_error", "application/json")
        self.param = param
        self.code = code

    def body(self, request_id: str = "") -> bytes:
        """The bytes of the refusal; the id of the request stands in a header alone."""
        del request_id
        return error_body(self.message, self.kind, self.param, self.code)


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """The envelope of an error before a stream."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.dumps({"error": error}, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Wish:
    """An accepted request: the order, whether a summary of the thoughts is shown, whether they
    are sealed, whether deltas are padded, and the prompt as the model reads it."""

    order: Order
    shows: bool
    seals: bool
    pads: bool
    prompt: bytes


def authenticate(headers: Mapping[str, str], keys: Sequence[str]) -> str:
    """The key of the request. `keys` are the known ones; none known means that every key is."""
    key = headers.get("authorization", "").removeprefix("Bearer").strip()
    if not key:
        raise ResponsesError("You didn't provide an API key.", status=401)
    if keys and key not in keys:
        shown = f"{key[:8]}{'*' * 8}{key[-4:]}"
        raise ResponsesError(
            f"Incorrect API key provided: {shown}.", None, "invalid_api_key", status=401
        )
    return key


def read_wish(raw: bytes, sealed: AbstractSet[str]) -> Wish:
    """The wish in these bytes; `sealed` are the contents that were encrypted here. Raises
    ResponsesError."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ResponsesError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise ResponsesError("Invalid type: expected an object.")
    for name in ("model", "input"):
        if name not in body:
            raise missing(name)
    if unknown := next((name for name in body if name not in FIELDS), None):
        raise ResponsesError(f"Unknown parameter: '{unknown}'.", unknown, "unknown_parameter")
    model = body["model"]
    family = FAMILIES.get(model) if isinstance(model, str) else None
    if family is None:
        sentence = f"The requested model '{model}' does not exist."
        raise ResponsesError(sentence, "model", "model_not_found")
    if body.get("store") is not False:
        raise ResponsesError("This stand-in keeps nothing: store has to be false (?)", "store")
    tools = read_tools(body)
    effort = read_reasoning(body, family)
    messages = read_input(body["input"], sealed, reasons=bool(family.efforts))
    json_mode = read_format(body, messages)
    summary = (body.get("reasoning") or {}).get("summary")
    return Wish(
        Order(
            model,
            model,
            tuple(messages),
            effort != "none",
            "high",
            read_limit(body, family),
            body.get("stream") is True,
            True,
            (),
            json_mode,
            tools,
            read_choice(body, tools),
            "",
            None,
        ),
        summary in ("auto", "concise", "detailed"),
        SEALED in (body.get("include") or ()),
        (body.get("stream_options") or {}).get("include_obfuscation") is not False,
        json.dumps([body.get("tools"), body["input"]], ensure_ascii=False).encode(
            "utf-8", "replace"
        ),
    )


def missing(name: str) -> ResponsesError:
    """A field that has to be there."""
    sentence = f"Missing required parameter: '{name}'."
    return ResponsesError(sentence, name, "missing_required_parameter")


def wrong_type(name: str, expected: str) -> ResponsesError:
    """A value of another type."""
    sentence = f"Invalid type for '{name}': expected {expected}."
    return ResponsesError(sentence, name, "invalid_type")


def unsupported(name: str) -> ResponsesError:
    """A field that this model does not take."""
    sentence = f"Unsupported parameter: '{name}' is not supported with this model."
    return ResponsesError(sentence, name, "unsupported_parameter")


# ── options ───────────────────────────────────────────────────────────────────────────────────


def read_limit(body: Object, family: Family) -> int:
    """How many tokens the answer may have."""
    limit = body.get("max_output_tokens")
    if limit is None:
        return family.max_tokens
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise wrong_type("max_output_tokens", "an integer")
    if limit < LEAST_OUTPUT:
        raise ResponsesError(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but"
            f" got {limit} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )
    return min(limit, family.max_tokens)


def read_reasoning(body: Object, family: Family) -> str:
    """The effort of this request. A model that reasons samples by itself; one that does not takes
    nothing about it."""
    reasoning = body.get("reasoning")
    if reasoning is not None and not isinstance(reasoning, dict):
        raise wrong_type("reasoning", "an object")
    if not family.efforts:
        if reasoning:
            raise unsupported(f"reasoning.{next(iter(reasoning))}")
        if SEALED in (body.get("include") or ()):  # type: ignore[operator]
            raise ResponsesError("Encrypted content is not supported with this model.", "include")
        return "none"
    for name in ("temperature", "top_p"):
        if body.get(name) is not None:
            raise unsupported(name)
    effort = (reasoning or {}).get("effort") or family.efforts[0]
    if effort not in family.efforts:
        values = ", ".join(f"'{one}'" for one in family.efforts)
        raise ResponsesError(
            f"Unsupported value: '{effort}' is not supported with this model. Supported values"
            f" are: {values}.",
            "reasoning.effort",
            "unsupported_value",
        )
    return str(effort)


def read_tools(body: Object) -> tuple[Object, ...]:
    """The functions, in the shape of chat completions, which the rest of the stand-ins reads."""
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise wrong_type("tools", "an array")
    functions: list[Object] = []
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise ResponsesError(f"Invalid value for '{place}.type' (?)", f"{place}.type")
        for name in ("name", "parameters", "strict"):
            if name not in tool:
                raise missing(f"{place}.{name}")
        functions.append({"type": "function", "function": tool})
    return tuple(functions)


def read_choice(body: Object, tools: Sequence[Object]) -> object:
    """The choice, in the shape of chat completions."""
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none", "required"):
        if choice == "required" and not tools:
            raise ResponsesError("Tool choice 'required' must be specified with 'tools' parameter.")
        return choice
    name = choice.get("name") if isinstance(choice, dict) else None
    names = [tool["function"]["name"] for tool in tools]  # type: ignore[index]
    if not isinstance(name, str) or name not in names:
        raise ResponsesError(
            "Tool choice 'function' not found in 'tools' parameter.", "tool_choice"
        )
    return {"type": "function", "function": {"name": name}}


def read_format(body: Object, messages: Sequence[Object]) -> bool:
    """Whether the text has to be JSON."""
    text = body.get("text")
    said = text.get("format") if isinstance(text, dict) else None
    match said:
        case None | {"type": "text"}:
            return False
        case {"type": "json_object"}:
            if "json" not in json.dumps(messages).lower():
                raise ResponsesError(
                    "Response input messages must contain the word 'json' in some form to use"
                    " 'text.format' of type 'json_object'.",
                    "input",
                )
            return True
        case {"type": "json_schema"}:
            for name in ("name", "schema"):
                if name not in said:
                    raise missing(f"text.format.{name}")
            return True
    raise ResponsesError("Invalid value for 'text.format.type' (?)", "text.format.type")


# ── input ─────────────────────────────────────────────────────────────────────────────────────


def read_input(value: object, sealed: AbstractSet[str], *, reasons: bool) -> list[Object]:
    """The items as messages. Each call wants its output, each output its call, and reasoning what
    it led to."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array")
    messages: list[Object] = []
    calls: dict[str, bool] = {}  # by their ids, whether there was an output
    for index, item in enumerate(value):
        place = f"input[{index}]"
        if not isinstance(item, dict):
            raise wrong_type(place, "an object")
        if item.get("type") == "reasoning":
            follows = value[index + 1] if index + 1 < len(value) else {}
            check_reasoning(place, item, follows, sealed, reasons)
        else:
            messages += read_item(place, item, calls)
    for call_id, answered in calls.items():
        if not answered:
            raise ResponsesError(f"No tool output found for function call {call_id}.", "input")
    return messages


def read_item(place: str, item: Object, calls: dict[str, bool]) -> list[Object]:
    """The message of an item, if it is one; a call and its output are noted in `calls`."""
    match item.get("type", "message"):
        case "message":
            return [read_message(place, item)]
        case "function_call":
            calls[call_id_of(place, item)] = False
            for name in ("name", "arguments"):
                if not isinstance(item.get(name), str):
                    raise missing(f"{place}.{name}")
            return []
        case "function_call_output":
            call_id = call_id_of(place, item)
            if call_id not in calls:
                sentence = f"No tool call found for function call output with call_id {call_id}."
                raise ResponsesError(sentence, "input")
            calls[call_id] = True
            return [{"role": "tool", "content": str(item.get("output"))}]
        case kind:
            raise ResponsesError(f"Invalid value: '{kind}'.", f"{place}.type", "invalid_value")


def read_message(place: str, item: Object) -> Object:
    """A message; what stands in its content depends on who speaks."""
    role, content = item.get("role"), item.get("content")
    if role not in (*TEXTS, "assistant"):
        raise ResponsesError(f"Invalid value: '{role}'.", f"{place}.role", "invalid_value")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, list):
        raise missing(f"{place}.content")
    text = TEXTS.get(str(role), "output_text")
    also = {"user": "input_image", "assistant": "refusal"}.get(str(role), text)
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in (text, also):
            raise ResponsesError(
                f"Invalid value: '{kind}'. Supported values are: '{text}' and '{also}'.",
                f"{place}.content[{number}]",
                "invalid_value",
            )
        field = {"input_image": "image_url", "refusal": "refusal"}.get(str(kind), "text")
        if not isinstance(part.get(field), str):
            raise missing(f"{place}.content[{number}].{field}")
        if field == "image_url" and not part[field].startswith(("data:image/", "http")):
            raise ResponsesError("Invalid image URL (?)", f"{place}.content[{number}]", "invalid")
    return {"role": role, "content": content}


def call_id_of(place: str, item: Object) -> str:
    """The id that binds a call and its output."""
    call_id = item.get("call_id")
    if not isinstance(call_id, str) or not call_id:
        raise missing(f"{place}.call_id")
    if len(call_id) > LONGEST_ID:
        raise ResponsesError(
            f"Invalid '{place}.call_id': string too long. Expected a string with maximum length"
            f" 64, but got a string with length {len(call_id)} instead.",
            f"{place}.call_id",
            "string_above_max_length",
        )
    return call_id


def check_reasoning(
    place: str, item: Object, follows: object, sealed: AbstractSet[str], reasons: bool
) -> None:
    """Raises ResponsesError for reasoning that cannot be read, or that led to nothing."""
    if not reasons:
        raise ResponsesError(
            "Reasoning input items can only be provided to a reasoning or computer use model.",
            "input",
        )
    for name in ("id", "summary"):
        if name not in item:
            raise missing(f"{place}.{name}")
    if null := next((name for name in ("status", "content") if item.get(name, "") is None), None):
        raise wrong_type(f"{place}.{null}", "a value")
    content = item.get("encrypted_content")
    if not content:
        raise ResponsesError(
            f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set"
            " to false.",
            "input",
            status=404,
        )
    if content not in sealed:
        raise ResponsesError(
            f"The encrypted content for item {item['id']} could not be verified.",
            None,
            "invalid_encrypted_content",
        )
    led_to = follows.get("type", "message") if isinstance(follows, dict) else None
    said = led_to == "function_call" or (
        led_to == "message" and isinstance(follows, dict) and follows.get("role") == "assistant"
    )
    if not said and led_to != "reasoning":
        raise ResponsesError(
            f"Item '{item['id']}' of type 'reasoning' was provided without its required following"
            " item.",
            "input",
        )
