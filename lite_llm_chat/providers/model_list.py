"""What a vendor's own list of models says, and the names that it has taken away.

    GET …/models ─▶ fetched ─▶ entries ─▶ live ─▶ Model(listed="live") …     chat models only
    a retired id ─▶ replaced ─▶ a row that another model answers

Nothing is expected of an entry but an id; what else it says is taken where it makes sense. An entry
is left out if it is surely no chat model:

    its id has one of the words of `_NO_CHAT`, or it is of one of the `_OTHER_TYPES`
    it says that no text comes out, or that it cannot chat, or that it is switched off

Which fields say so, at whom (SDKs and documentation, November 2026): `type` Together;
`output_modalities` DeepSeek, and in `architecture` OpenRouter; `capabilities.completion_chat`
Mistral; `supports_chat` Fireworks; `active` Groq. Windows: `context_window` DeepSeek, Groq;
`context_length` OpenRouter, Together, Moonshot, Fireworks; `max_context_length` Mistral;
`max_model_len` vLLM, SGLang. A list that is not in `data` but bare: Together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain import Model
from .exchange import fetched, garbage
from .wire import Endpoint, Wire

MOST_PAGES = 5
MOST_MODELS = 5000
_MOST_CHARS = 200  # of an id or a name; a longer one is none
_MOST_TOKENS = 10**12

# Whole words where a shorter form could be a part of another.
_NO_CHAT = re.compile(
    r"embed|whisper|transcri|moderation|rerank|dall-e"
    r"|(?<![a-z])(?:tts|image|imagen|realtime|sora|veo)(?![a-z])",
    re.IGNORECASE,
)
_OTHER_TYPES = frozenset(
    {"audio", "embedding", "image", "moderation", "rerank", "transcribe", "video"}
)

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """Under which names, best first, an entry says what. Windows and limits are tokens."""

    id: tuple[str, ...]
    name: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


def entries(who: str, document: object, name: str) -> list[Entry]:
    """The entries of a list that stands in a document under a name, or is the document. Raises
    UpstreamError if there is none."""
    found = document
    if isinstance(document, dict) and name in document:
        found = document[name] or []
    if not isinstance(found, list):
        raise garbage(who, "something else than a list of models")
    return [entry for entry in found[:MOST_MODELS] if isinstance(entry, dict)]


async def pages(wire: Wire, endpoint: Endpoint, follow: Callable[[Entry], str]) -> list[object]:
    """The pages of a list, at most `MOST_PAGES`. `follow` gives what the query of the next one
    has more, "" after the last. Raises UpstreamError."""
    found = [await fetched(wire, endpoint)]
    while len(found) < MOST_PAGES and isinstance(last := found[-1], dict):
        if not (more := follow(last)):
            break
        found.append(await fetched(wire, replace(endpoint, url=f"{endpoint.url}&{more}")))
    return found


def may_chat(model_id: str) -> bool:
    """False if its id alone says that a model is for something else."""
    return not _NO_CHAT.search(model_id)


def live(provider: str, entry: Entry, fields: Fields) -> Model | None:
    """The model of an entry, or None without an id."""
    model_id = _word(entry, fields.id)
    if not model_id:
        return None
    name = _word(entry, fields.name) or model_id
    return Model(
        id=model_id,
        name=name,
        provider=provider,
        context_length=_tokens(entry, fields.context),
        max_output_tokens=_tokens(entry, fields.output),
        description=f"{name}, listed by {provider}",
        listed="live",
    )


def _word(entry: Entry, names: Sequence[str]) -> str:
    words = (entry.get(name) for name in names)
    return next((word for word in words if isinstance(word, str) and _is_shown(word)), "")


def _is_shown(word: str) -> bool:
    return 0 < len(word) <= _MOST_CHARS and word.isprintable() and not word.isspace()


def _tokens(entry: Entry, names: Sequence[str]) -> int:
    counts = (entry.get(name) for name in names)
    return next((n for n in counts if type(n) is int and 0 < n < _MOST_TOKENS), 0)


# ── OpenAI's dialect ──────────────────────────────────────────────────────────────────────────

_FIELDS = Fields(
    id=("id",),
    name=("display_name", "name"),
    context=("context_window", "context_length", "max_context_length", "max_model_len"),
    output=("max_output_tokens", "max_completion_tokens"),
)


async def openai_models(wire: Wire, endpoint: Endpoint) -> list[Model]:
    """The chat models of `GET …/models`, at any vendor of this dialect. Raises UpstreamError."""
    found = entries(endpoint.who, await fetched(wire, endpoint), "data")
    models = (
        live(endpoint.who, {**_inner(entry, "top_provider"), **entry}, _FIELDS)
        for entry in found
        if _speaks(entry)
    )
    return [model for model in models if model and may_chat(model.id)]


def _speaks(entry: Entry) -> bool:
    """Whether an entry may be a chat model, by what it says beside its id."""
    out = entry.get("output_modalities") or _inner(entry, "architecture").get("output_modalities")
    denials = (
        str(entry.get("type")) in _OTHER_TYPES,
        isinstance(out, list) and "text" not in out,
        _inner(entry, "capabilities").get("completion_chat") is False,
        entry.get("supports_chat") is False,
        entry.get("active") is False,
    )
    return not any(denials)


def _inner(entry: Entry, name: str) -> Entry:
    inner = entry.get(name)
    return inner if isinstance(inner, dict) else {}


# ── names that are gone ───────────────────────────────────────────────────────────────────────


def replaced(
    rows: Sequence[Model], who: str, *gone: tuple[str, str, str], thinking: bool | None = None
) -> Iterator[Model]:
    """Rows for ids that a vendor (`who`, for people) has retired: the old id, the id of the row
    that answers instead, the date. `thinking` is what the old name stood for."""
    by_id = {row.id: row for row in rows}
    manner = {None: "", True: " with thinking on", False: " with thinking off"}[thinking]
    for old, new, date in gone:
        yield replace(
            by_id[new],
            id=old,
            name=old,
            description=f"Retired by {who} on {date}; kept here as {new}{manner}",
            alias_of=new,
            thinking=thinking,
        )
