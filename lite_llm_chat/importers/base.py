"""What every format is read into, and the small rules that all formats share.

    an entry of an archive ─▶ a format's reader ─▶ Conversation(head, said, active)
                                     └─ Nothing (skipped, why) · Wrong (broken, why)

A reader is a function of one entry and the bag of the archive's other files. What it raises
concerns that entry only. Pure, but for the bag.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from ..domain import (
    Options,
    Origin,
    Part,
    Reasoning,
    Role,
    Text,
    TitleBy,
    ToolCall,
    ToolResult,
    Usage,
    merged,
)
from ..store.codec import parts_to_text

TITLE_CHARS = 255
ID_CHARS = 255
TAG_CHARS = 64


class Nothing(Exception):
    """The entry is left out, and why: half a sentence. `about` is what a person would call it."""

    def __init__(self, why: str, about: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.about = about


class Wrong(Exception):
    """The entry cannot be read, and why: half a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Attached(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file beside a message. `place` names its bytes in the import's folder, `id` is the SHA-256
    that the message's parts know it by; `missing` says why the bytes are not here."""

    name: str
    place: str | None = None
    id: str | None = None
    missing: str | None = None


class Utterance(msgspec.Struct, frozen=True, omit_defaults=True, tag="said"):
    """One message. `key` is its name in this conversation, unique in it, and `parent` the key of
    the message that it follows. `source_id` is the name that it is known again by (None: by its
    place and its time); `parts` is the text that a row keeps."""

    key: str
    parent: str | None
    role: Role
    content: str
    created_at: datetime | None = None
    source_id: str | None = None
    reasoning: str | None = None
    parts: str | None = None
    call_id: str | None = None
    origin: Origin | None = None
    attached: tuple[Attached, ...] = ()


class Head(msgspec.Struct, frozen=True, omit_defaults=True, tag="head"):
    """What is known of a conversation beside its messages. `source` is the product and
    `source_id` the conversation's name there; only our own export has a `uid` and what follows
    it."""

    source: str | None
    source_id: str | None
    title: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    archived_at: datetime | None = None
    pinned: bool = False
    folder: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    system_prompt: str | None = None
    uid: str | None = None
    title_by: TitleBy = "person"
    home: tuple[str, str] | None = None
    unread: bool = False
    options: Options | None = None
    preset: tuple[str, int | None] | None = None


class Conversation(msgspec.Struct, frozen=True):
    """A conversation of an archive. In `said` parents come before children; `active` is the key of
    the last message of the branch that was shown."""

    head: Head
    said: tuple[Utterance, ...]
    active: str | None


class Bag(Protocol):
    """The files of an archive. Each method gives what is to be attached, never an error."""

    def find(self, name: str, start: str) -> Attached:
        """The archive's file whose own name begins so; `name` is the one to show."""
        ...

    def put(self, name: str, data: bytes) -> Attached:
        """A file that stood in the entry itself."""
        ...


Reader = Callable[[Mapping[str, Any], Bag], Conversation]


# ── values of other people's JSON ─────────────────────────────────────────────────────────────


def text_of(value: object) -> str:
    """The text, or "" for anything else; half a surrogate pair becomes a question mark."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def id_of(value: object) -> str | None:
    """A name of at most 255 characters; of a longer one, its digest."""
    if isinstance(value, Mapping):
        value = value.get("$oid")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = text_of(value)
    if len(text) > ID_CHARS:
        return hashlib.sha256(text.encode()).hexdigest()
    return text or None


def dict_of(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dicts_of(value: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def count_of(value: object) -> int:
    """A number of tokens."""
    return value if isinstance(value, int) and 0 < value < 2**53 else 0


def moment_of(value: object) -> datetime | None:
    """A moment: seconds, milliseconds, micro- or nanoseconds since 1970, ISO 8601 (without a zone:
    UTC), or MongoDB's; None for anything else."""
    if isinstance(value, Mapping):
        value = value.get("$date")
        if isinstance(value, Mapping):
            value = _number(text_of(value.get("$numberLong")))
            value = None if value is None else value / 1000
    if isinstance(value, str):
        number = _number(value)
        if number is None:
            return _written(value)
        value = number
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**63:
        return None
    while value > 100_000_000_000:  # seconds until the year 5138: a smaller unit
        value /= 1000
    return datetime.fromtimestamp(value, UTC)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,9})?", text) else None


def _written(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.strip().replace(" UTC", "Z"))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year >= 1970 else None


def call_name(text: object) -> str:
    """A function's name that every vendor takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text_of(text))[:64] or "tool"


def arguments_of(value: object) -> str:
    """The arguments of a call as JSON text."""
    if isinstance(value, str):
        return text_of(value)
    return msgspec.json.encode(value).decode() if value is not None else "{}"


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """Tokens, in any of the words that OpenAI, Anthropic and Ollama have for them."""
    into = found.get("prompt_tokens", found.get("input_tokens", found.get("prompt_eval_count")))
    out = found.get("completion_tokens", found.get("output_tokens", found.get("eval_count")))
    if not (count_of(into) or count_of(out)):
        return None
    cached = dict_of(found.get("prompt_tokens_details") or found.get("input_tokens_details"))
    thought = dict_of(found.get("completion_tokens_details") or found.get("output_tokens_details"))
    return Usage(
        input=count_of(into),
        cached=count_of(cached.get("cached_tokens")),
        output=count_of(out),
        reasoning=count_of(thought.get("reasoning_tokens")),
    )


# ── what was said ─────────────────────────────────────────────────────────────────────────────


class Answer:
    """Collects the parts of an answer in their order. Two texts in a row are two paragraphs."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def say(self, text: str) -> None:
        if text:
            gap = "\n\n" if any(isinstance(part, Text) for part in self.parts) else ""
            self.parts.append(Text(gap + text))

    def think(self, text: str) -> None:
        if text:
            gap = "\n\n" if any(isinstance(part, Reasoning) for part in self.parts) else ""
            self.parts.append(Reasoning(gap + text))

    def call(self, call_id: str, name: object, arguments: object) -> None:
        taken = {part.id for part in self.parts if isinstance(part, ToolCall)}
        self.parts.append(ToolCall(fresh(call_id, taken), call_name(name), arguments_of(arguments)))

    def result(self, text: str, *, call_id: str | None = None, failed: bool = False) -> bool:
        """Answer a call, by default the last one; False if there is none that wants a result."""
        done = {part.call_id for part in self.parts if isinstance(part, ToolResult)}
        calls = [part.id for part in self.parts if isinstance(part, ToolCall)]
        waiting = [one for one in calls if one not in done]
        wanted = call_id if call_id in waiting else next(iter(waiting[-1:]), None)
        if wanted is None:
            return False
        self.parts.append(ToolResult(wanted, text, failed))
        return True

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str | None:
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning)) or None

    @property
    def stored(self) -> str | None:
        """The parts as a row keeps them; None where they are reasoning and then text."""
        return parts_to_text(merged(self.parts))


def fresh(wanted: str, taken: Iterable[str]) -> str:
    """The name, or the next one like it that nobody has; the same each time."""
    have, name, number = set(taken), wanted, 1
    while name in have:
        number += 1
        name = f"{wanted[: ID_CHARS - 8]}~{number}"
    return name


def titled(title: object, said: Sequence[Utterance]) -> str:
    """The title, else the first words of the first question."""
    words = " ".join(text_of(title).split())
    if not words:
        words = " ".join(
            next((one.content for one in said if one.role == "user"), "")[:500].split()
        )
        words = f"{words[:59]}…" if len(words) > 60 else words
    return words[:TITLE_CHARS] or "New chat"


def tags_of(value: object) -> tuple[str, ...]:
    """Names of tags, each once."""
    listed = value if isinstance(value, list | tuple) else ()
    found = (" ".join(text_of(one).split())[:TAG_CHARS] for one in listed)
    return tuple(dict.fromkeys(tag for tag in found if tag))


def in_order(said: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Parents before their children, else as they came. Who names a parent that is not there
    begins a branch of its own, and so does the first of a circle; a key that is there twice is
    made another one."""
    keyed: dict[str, Utterance] = {}
    for one in said:
        key = fresh(one.key, keyed) if one.key in keyed else one.key
        renamed = one if key == one.key else msgspec.structs.replace(one, key=key, source_id=key)
        keyed[key] = renamed
    number = {key: at for at, key in enumerate(keyed)}
    children: defaultdict[str, list[str]] = defaultdict(list)
    ready: list[int] = []
    for key, one in keyed.items():
        if one.parent is None or one.parent not in keyed:
            ready.append(number[key])
        else:
            children[one.parent].append(key)
    everyone, placed = list(keyed.values()), dict.fromkeys(keyed, False)
    ordered: list[Utterance] = []
    begun = iter(list(keyed))
    while len(ordered) < len(everyone):
        if not ready:  # a circle: its first one begins it
            ready.append(number[next(key for key in begun if not placed[key])])
        one = everyone[heapq.heappop(ready)]
        if placed[one.key]:
            continue
        placed[one.key] = True
        known = one.parent is not None and placed.get(one.parent, False)
        known = known and one.parent != one.key
        ordered.append(one if known else msgspec.structs.replace(one, parent=None))
        for key in children[one.key]:
            if not placed[key]:
                heapq.heappush(ready, number[key])
    return tuple(ordered)


def conversation(head: Head, said: Sequence[Utterance], active: str | None) -> Conversation:
    """Whole and in order. Raises Nothing for one without messages."""
    if not said:
        raise Nothing("it holds no messages", head.title)
    ordered = in_order(said)
    if active not in {one.key for one in ordered}:
        active = ordered[-1].key
    return Conversation(head, ordered, active)
