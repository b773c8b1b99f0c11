"""What an Ollama has, what it accepts, and the sentence with which it refuses the rest (2026).

    body ─▶ read_chat ─▶ Chat (a model, an order, a window)      /api/tags /api/show ─▶ its models
               └───── raise Refusal(sentence, status) ─────┘

The server is written in Go: a body of the wrong shape gets encoding/json's own sentences.
Sentences marked (?) were never seen on the wire; their envelope was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from standins.accounting import estimate
from standins.deepseek_rules import Effort, Object, Order
from standins.ollama_messages import Refusal, mistyped, read_format, read_messages, read_tools

WINDOW_TOKENS = 4_096  # what a machine with less than 24 GiB of video memory gives by itself
UNBOUNDED = 1 << 40
LEVELS: Mapping[str, Effort] = {"low": "low", "medium": "high", "high": "max"}  # how long it thinks
WHOLE = ("num_ctx", "num_predict", "seed", "top_k")
REAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")


# ── its models ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model on this machine. `levels` are the values of `think` that have a name."""

    name: str
    family: str
    parameter_size: str
    quantization: str
    size_bytes: int
    context_tokens: int
    capabilities: tuple[str, ...]
    levels: tuple[str, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether it can think."""
        return "thinking" in self.capabilities

    def listed(self) -> dict[str, object]:
        """Its row in GET /api/tags."""
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": "2026-10-05T09:12:44.318402166+02:00",
            "size": self.size_bytes,
            "digest": f"{self.size_bytes:064x}",
            "details": self._details(),
            "capabilities": list(self.capabilities),
        }

    def shown(self) -> dict[str, object]:
        """The answer to POST /api/show."""
        shown: dict[str, object] = {
            "modelfile": f"FROM {self.name}\n",
            "parameters": "temperature 1",
            "template": "{{ .Prompt }}",
            "details": self._details(),
            "model_info": {
                "general.architecture": self.family,
                f"{self.family}.context_length": self.context_tokens,
            },
            "capabilities": list(self.capabilities),
            "modified_at": "2026-10-05T09:12:44.318402166+02:00",
        }
        if self.levels:
            shown["thinking"] = {"values": list(self.levels), "default": "medium"}
        elif self.thinks:
            shown["thinking"] = {"values": [False, True], "default": True}
        return shown

    def _details(self) -> dict[str, object]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }


PULLED = (
    Pulled(
        "gemma4:e2b",
        "gemma4",
        "5.1B",
        "Q4_K_M",
        7_162_394_016,
        131_072,
        ("completion", "vision", "audio", "tools", "thinking"),
    ),
    Pulled(
        "gpt-oss:20b",
        "gptoss",
        "20.9B",
        "MXFP4",
        13_793_441_244,
        131_072,
        ("completion", "tools", "thinking"),
        ("low", "medium", "high"),
    ),
    Pulled(
        "llama3.2:latest",
        "llama",
        "3.2B",
        "Q4_K_M",
        2_019_393_189,
        131_072,
        ("completion", "tools"),
    ),
    Pulled("small:8k", "llama", "1.2B", "Q8_0", 1_321_098_329, 8_192, ("completion",)),
    Pulled("bge-m3:latest", "bert", "566.70M", "F16", 1_157_672_605, 8_192, ("embedding",)),
)


def find(asked: object) -> Pulled:
    """The model of this name; without a tag it is `latest`."""
    if not isinstance(asked, str) or not asked:
        raise Refusal("model is required")
    wanted = asked if ":" in asked else f"{asked}:latest"
    for model in PULLED:
        if model.name == wanted:
            return model
    raise Refusal(f"model '{asked}' not found", 404)


# ── a chat ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Chat:
    """A request that is accepted. `asked` is the model's name as it was written; `window` is what
    the model is loaded with; `prompt_tokens` are those of what was left of the prompt."""

    asked: str
    model: Pulled
    order: Order
    window: int
    prompt_tokens: int
    stays: bool  # False: it leaves the memory afterwards


def read_chat(raw: bytes, body: object) -> Chat:
    """The chat in a body. Raises Refusal."""
    if not raw:
        raise Refusal("missing request body")
    if not isinstance(body, dict):
        raise Refusal("invalid character looking for beginning of value")  # (?)
    model = find(body.get("model"))
    messages = read_messages(body, sees="vision" in model.capabilities)
    options = _options(body)
    thinking, effort = _thinks(model, str(body["model"]), body.get("think"))
    last = messages[-1] if messages else {}
    order = Order(
        asked_model=str(body["model"]),
        model=model.name,
        messages=messages,
        thinking=thinking,
        effort=effort,
        max_tokens=_bound(options.get("num_predict")),
        stream=body.get("stream") is not False,
        include_usage=True,
        stop=_stops(options.get("stop")),
        json_mode=read_format(body),
        tools=read_tools(body, None if "tools" in model.capabilities else model.name),
        tool_choice=None,
        user="",
        prefix=last if last.get("role") == "assistant" else None,
    )
    asked = options.get("num_ctx")
    wanted = asked if isinstance(asked, int) and asked > 0 else WINDOW_TOKENS
    window = min(wanted, model.context_tokens)
    order = _fitted(order, window, cuts=body.get("truncate") is not False)
    tokens = estimate(order.prompt()) if order.messages else 0
    if body.get("shift") is False:
        order = replace(order, max_tokens=min(order.max_tokens, window - tokens))
    return Chat(str(body["model"]), model, order, window, tokens, body.get("keep_alive") != 0)


def _fitted(order: Order, window: int, cuts: bool) -> Order:
    """The order with as many of its messages as the window takes: the oldest go first, the
    system's and the last one stay. Refused instead when nothing may be cut."""
    tokens = estimate(order.prompt())
    if tokens <= window or not order.messages:
        return order
    if not cuts:
        sentence = (
            f"request ({tokens} tokens) exceeds the available context size ({window} tokens),"
            " try increasing it"
        )
        inner = {"code": 400, "message": sentence, "type": "exceed_context_size_error"}
        raise Refusal(json.dumps({"error": inner}, separators=(",", ":")))
    left = order
    for start in range(1, len(order.messages)):
        system = [one for one in order.messages[:start] if one["role"] == "system"]
        left = replace(order, messages=(*system, *order.messages[start:]))
        if estimate(left.prompt()) <= window:
            break
    return left


def _thinks(model: Pulled, asked: str, think: object) -> tuple[bool, Effort]:
    """Whether the model thinks, and how long; on by default where it can."""
    if isinstance(think, str) and think not in LEVELS:
        names = '"high", "medium", "low", true, or false'
        raise Refusal(f'invalid think value: "{think}" (must be {names})')
    if not (think is None or isinstance(think, str | bool)):
        names = '"high", "medium", "low", true, or false'
        raise Refusal(f"think must be a boolean or string ({names})")
    if think and not model.thinks:
        raise Refusal(f'"{asked}" does not support thinking')
    if isinstance(think, str):
        if think not in model.levels:
            raise Refusal(f'think value "{think}" is not supported for this model')
        return True, LEVELS[think]
    return model.thinks and think is not False, "high"


def _options(body: Object) -> Object:
    """The options; unknown ones are passed over, as the server only warns of them."""
    options = body.get("options")
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise mistyped("options", options, "map[string]interface {}")
    for name, value in options.items():
        kind = "integer" if name in WHOLE else "float32" if name in REAL else ""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind and not number:
            raise Refusal(f'option "{name}" must be of type {kind}', 500)  # (?) the status
    return options


def _bound(tokens: object) -> int:
    """The most tokens of an answer; -1 and nothing at all mean no bound."""
    return int(tokens) if isinstance(tokens, int | float) and tokens > 0 else UNBOUNDED


def _stops(stop: object) -> tuple[str, ...]:
    rows: Sequence[object] = stop if isinstance(stop, list) else [stop] if stop else []
    if not all(isinstance(one, str) for one in rows):
        raise Refusal('option "stop" must be of an array of strings', 500)  # (?) the status
    return tuple(str(one) for one in rows)
