"""What Anthropic accepts, and the sentence with which it refuses the rest (November 2026).

    headers ─▶ authenticate ─▶ key       body ─▶ read_wish ─▶ Wish
                    └──── raise MessagesError(sentence, status) ────┘

The rules of each generation of models are those of platform.claude.com and of the types of the
vendor's Python SDK 2.14.0; a sentence marked (?) was never seen on the wire, its status and
envelope were. The order of the checks is a guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from standins.anthropic_talk import (
    binding,
    read_messages,
    read_system,
    read_tool_choice,
    read_tools,
)
from standins.anthropic_words import MessagesError, typed
from standins.deepseek_rules import Object, Order

VERSIONS = ("2023-06-01", "2026-10-21")
FIELDS = frozenset(
    {"model", "messages", "max_tokens", "system", "stream", "stop_sequences", "temperature"}
    | {"top_p", "top_k", "thinking", "output_config", "metadata", "tools", "tool_choice"}
    | {"service_tier", "cache_control", "container", "diagnostics", "inference_geo", "speed"}
)
SAMPLING = ("temperature", "top_p", "top_k")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TO_HIGH = EFFORTS[:3]
NO_XHIGH = (*TO_HIGH, "max")
LOOK = "Please consult our documentation at https://platform.claude.com/docs"
WHILE = "when thinking is enabled or in adaptive mode"
PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user"
    " message."
)


@dataclass(frozen=True, slots=True)
class Family:
    """What one generation takes: the types of thinking, whether it thinks unasked, the efforts
    (and those without thinking), whether sampling and prefill are left to the caller."""

    types: tuple[str, ...]
    unasked: bool
    efforts: tuple[str, ...] = EFFORTS
    quiet: tuple[str, ...] = EFFORTS
    older: bool = False  # 4.6 and before: sampling is minded, thoughts are shown unasked
    prefills: bool = False
    max_tokens: int = 128_000
    forces: bool = True  # a tool may be forced while it does not think


ALWAYS = Family(("adaptive",), True, forces=False)
CAPPED = Family(("adaptive", "disabled"), True, quiet=TO_HIGH)
TOLD = Family(("adaptive", "disabled"), False)
BOTH = Family(("adaptive", "enabled", "disabled"), False, NO_XHIGH, NO_XHIGH, older=True)
FAMILIES: Mapping[str, Family] = {
    "claude-fable-5-2": ALWAYS,
    "claude-opus-5-5": ALWAYS,
    "claude-sonnet-5-5": Family(("adaptive", "between_tools"), True, quiet=TO_HIGH, forces=False),
    "claude-haiku-5-5": CAPPED,
    "claude-opus-5": CAPPED,
    "claude-sonnet-5": Family(("adaptive", "disabled"), True),
    "claude-opus-4-8": TOLD,
    "claude-opus-4-7": TOLD,
    "claude-opus-4-6": BOTH,
    "claude-sonnet-4-6": BOTH,
    "claude-opus-4-5": Family(("enabled", "disabled"), False, TO_HIGH, TO_HIGH, True, True, 64_000),
    "claude-haiku-4-5": Family(("enabled", "disabled"), False, (), (), True, True, 64_000),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """An accepted request: the order, whether its thoughts come as text, where the blocks of the
    prompt end (the bytes up to there, and whether a cache mark stands there), and what its
    thinking will be tied to."""

    order: Order
    shows: bool
    ends: tuple[tuple[bytes, bool], ...]
    bound: bytes


def key_in(headers: Mapping[str, str]) -> str:
    """The key of a request: from its own header, or a bearer's, as the SDK sends it since 2.0."""
    bearer = headers.get("authorization", "").removeprefix("Bearer").strip()
    return headers.get("x-api-key", "") or bearer


def authenticate(headers: Mapping[str, str], keys: Sequence[str]) -> str:
    """The key of the request. `keys` are the known ones; none known means that every key is."""
    key = key_in(headers)
    if not key:
        raise MessagesError("x-api-key header is required", 401, "authentication_error")
    if keys and key not in keys:
        raise MessagesError("invalid x-api-key", 401, "authentication_error")
    version = headers.get("anthropic-version")
    if version is None:
        raise MessagesError("anthropic-version: header is required")
    if version not in VERSIONS:
        raise MessagesError(f'anthropic-version: "{version}" is not a valid version')
    return key


def read_wish(raw: bytes, version: str) -> Wish:
    """The wish in these bytes. Raises MessagesError."""
    body = parse(raw)
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise MessagesError(f"{name}: Field required")
    for name in body:
        gone = version == VERSIONS[1] and name in SAMPLING
        if name not in FIELDS or gone:
            raise MessagesError(f"{name}: Extra inputs are not permitted")
    model = typed(body, "model", str, "a valid string")
    family = FAMILIES.get(str(model))
    if family is None:
        raise MessagesError(f"model: {model}", 404, "not_found_error")
    max_tokens = read_max_tokens(body, str(model), family)
    thinking = read_thinking(body, family, max_tokens)
    check_sampling(body, family, thinking)
    effort = read_effort(body, family, thinking)
    tools = read_tools(body)
    choice = read_tool_choice(body, family.forces, thinking)
    switch = body.get("thinking")
    switch = switch if isinstance(switch, dict) else {}
    messages = read_messages(body, switch.get("type") == "enabled")
    check_marks(tools, read_system(body), messages)
    by_schema = read_format(body)
    if messages[-1]["role"] == "assistant":
        check_prefill(messages[-1], family, thinking or by_schema)
    display = switch.get("display")
    order = Order(
        str(model),
        str(model),
        messages,
        thinking,
        "max" if effort == "max" else "high",
        max_tokens,
        typed(body, "stream", bool, "a valid boolean") is True,
        True,
        read_stops(body),
        by_schema,
        tuple(_function(tool) for tool in tools),
        choice,
        "",
        messages[-1] if messages[-1]["role"] == "assistant" else None,
    )
    return Wish(
        order,
        (display or ("omitted", "summarized")[family.older]) == "summarized",
        tuple(ends_of(tools, read_system(body), messages)),
        binding(body),
    )


def _function(tool: Object) -> Object:
    """A tool in the words of an Order."""
    return {"function": {"name": tool["name"], "parameters": tool["input_schema"]}}


def parse(raw: bytes) -> Object:
    """The body as an object."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise MessagesError("The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise MessagesError("Input should be a valid dictionary")
    return body


# ── values ────────────────────────────────────────────────────────────────────────────────────


def read_max_tokens(body: Object, model: str, family: Family) -> int:
    """The limit of the answer."""
    wanted = typed(body, "max_tokens", int, "a valid integer")
    assert isinstance(wanted, int)
    if wanted < 1:
        raise MessagesError("max_tokens: Input should be greater than or equal to 1")
    if wanted > family.max_tokens:
        raise MessagesError(
            f"max_tokens: {wanted} > {family.max_tokens}, which is the maximum allowed number of"
            f" output tokens for {model}"
        )
    return wanted


def read_thinking(body: Object, family: Family, max_tokens: int) -> bool:
    """Whether the model thinks."""
    switch = typed(body, "thinking", dict, "a valid dictionary")
    if not isinstance(switch, dict):
        return family.unasked
    kind = switch.get("type")
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        raise MessagesError("thinking: Input tag does not match any of the expected tags")  # (?)
    if kind not in family.types:
        raise MessagesError(
            f'"thinking.type.{kind}" is not supported for this model. Use'
            f' "thinking.type.{family.types[0]}" and "output_config.effort" to control thinking'
            " behavior."
        )
    if switch.get("display", "summarized") not in ("summarized", "omitted"):
        raise MessagesError("thinking.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        check_budget(switch.get("budget_tokens"), max_tokens)
    return kind in ("adaptive", "enabled")


def check_budget(budget: object, max_tokens: int) -> None:
    """A budget has a least size, and leaves room for an answer."""
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise MessagesError("thinking.enabled.budget_tokens: Field required")
    if budget < 1024:
        raise MessagesError(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if budget >= max_tokens:
        raise MessagesError(f"`max_tokens` must be greater than `thinking.budget_tokens`. {LOOK}")


def check_sampling(body: Object, family: Family, thinking: bool) -> None:
    """The three ways of choosing a token: what may be said, and when."""
    temperature = typed(body, "temperature", float, "a valid number")
    top_p = typed(body, "top_p", float, "a valid number")
    top_k = typed(body, "top_k", int, "a valid integer")
    for name, value in (("temperature", temperature), ("top_p", top_p)):
        if isinstance(value, int | float) and not 0 <= value <= 1:
            raise MessagesError(f"{name}: range: 0..1")
    if not family.older:
        for name, value in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k)):
            if value not in (None, 1):
                raise MessagesError(f"`{name}` is deprecated for this model.")
    elif temperature is not None and top_p is not None:
        raise MessagesError(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only"
            " one."
        )
    elif thinking:
        check_thoughtful(temperature, top_p, top_k)


def check_thoughtful(temperature: object, top_p: object, top_k: object) -> None:
    """What may be said of the three while the model thinks."""
    if temperature not in (None, 1):
        raise MessagesError(f"`temperature` may only be set to 1 {WHILE}. {LOOK}")
    if isinstance(top_p, int | float) and top_p < 0.95:
        raise MessagesError(
            f"`top_p` must be greater than or equal to 0.95 or unset {WHILE}. {LOOK}"
        )
    if top_k is not None:
        raise MessagesError(f"`top_k` must be unset {WHILE}. {LOOK}")


def read_effort(body: Object, family: Family, thinking: bool) -> str:
    """How hard it works, "" when the request does not say."""
    config = typed(body, "output_config", dict, "a valid dictionary")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is None:
        return ""
    if effort not in EFFORTS:
        raise MessagesError(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort not in (family.efforts if thinking else family.quiet):
        raise MessagesError(f"This model does not support effort level '{effort}'.")  # (?)
    return str(effort)


def read_stops(body: Object) -> tuple[str, ...]:
    """The stop sequences."""
    stops = typed(body, "stop_sequences", list, "a valid list")
    for stop in stops if isinstance(stops, list) else ():
        if not isinstance(stop, str):
            raise MessagesError("stop_sequences.0: Input should be a valid string")
        if not stop.strip():
            raise MessagesError("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(stops) if isinstance(stops, list) else ()


def read_format(body: Object) -> bool:
    """Whether the text has to be JSON by a schema."""
    config = body.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else None
    if wanted is None:
        return False
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise MessagesError("output_config.format.type: Input should be 'json_schema'")
    check_closed(wanted.get("schema"))
    return True


def check_closed(schema: object) -> None:
    """Objects of a schema are closed."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            raise MessagesError(
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be"
                " explicitly set to false"
            )
        for one in schema.values():
            check_closed(one)
    elif isinstance(schema, list):
        for one in schema:
            check_closed(one)


# ── the conversation ──────────────────────────────────────────────────────────────────────────


def check_prefill(last: Object, family: Family, thinking: bool) -> None:
    """Whether the answer may begin with this message."""
    if not family.prefills or thinking:
        raise MessagesError(PREFILL)
    text = str(all_blocks((), [last])[-1].get("text", ""))
    if text != text.rstrip():
        raise MessagesError("messages: final assistant content cannot end with trailing whitespace")


def check_marks(
    tools: Sequence[Object], system: Sequence[Object], messages: Sequence[Object]
) -> None:
    """No more than four."""
    if sum("cache_control" in one for one in (*tools, *all_blocks(system, messages))) > 4:
        raise MessagesError("A maximum of 4 blocks with cache_control may be provided.")


def all_blocks(system: Sequence[Object], messages: Sequence[Object]) -> list[Object]:
    """The blocks of a prompt in the order in which they are read."""
    blocks = list(system)
    for message in messages:
        content = message["content"]
        blocks += content if isinstance(content, list) else []
    return blocks


def ends_of(
    tools: Sequence[Object], system: Sequence[Object], messages: Sequence[Object]
) -> list[tuple[bytes, bool]]:
    """Where the blocks of a prompt end; tools are read first."""
    ends: list[tuple[bytes, bool]] = []
    read = b""
    spoken = [("tool", list(tools)), ("system", list(system))]
    for role, blocks in (*spoken, *((str(m["role"]), m["content"]) for m in messages)):
        for block in blocks if isinstance(blocks, list) else ():
            bare = {name: value for name, value in block.items() if name != "cache_control"}
            said = block["text"] if block.get("type") == "text" else json.dumps(bare)
            read += f"<|{role}|>{said}".encode("utf-8", "replace")
            ends.append((read, "cache_control" in block))
    return ends
