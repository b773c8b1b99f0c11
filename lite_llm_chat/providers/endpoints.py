"""Endpoints of one's own: a TOML file in, rows out, the same as those of our tables.

    [[endpoint]]                     ┌─▶ Vendor(id, base_url, models, habits …)
    id = "box"        ─▶ read ─▶ Own ┤
    base_url = "…"                   └─▶ its key, or the variable that holds it

What is wrong in the file is said at the start, with the file, the endpoint and the mend. A key in
it is never quoted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, get_args

import msgspec

from ..domain import Model
from ..errors import StartupError
from .calls import Seals
from .chat_messages import CallIds
from .habits import (
    EFFORTS,
    FORMATS,
    OF_RESPONSES,
    OPTIONS,
    Forced,
    Format,
    GoingOn,
    Habits,
    Speech,
    Thinking,
    ThinkTags,
)
from .openai_compatible import Vendor

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_NO_LIMIT = 0  # tokens; of a model whose entry does not say them


Tokens = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class _Model(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: str
    name: str = ""
    context_length: Tokens = _NO_LIMIT
    max_output_tokens: Tokens = _NO_LIMIT
    description: str = ""
    vision: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One `[[endpoint]]`: who and where, then the fields of Habits."""

    id: str
    base_url: str
    name: str = ""
    description: str = ""
    dialect: Speech = "chat"
    key: str = ""
    key_variable: str = ""
    headers: dict[str, str] = {}
    models: list[_Model | str] = []
    first_piece_timeout_s: Seconds | None = None
    lists: bool = True
    takes: list[str] | None = None
    names: dict[str, str] = {}
    thinking: Thinking = "none"
    thinking_on: str = ""
    efforts: dict[str, str] = {}
    going_on: GoingOn = "words"
    going_on_thinks: bool = True
    tools_think: bool = True
    forced: list[Forced] | None = None
    strict: bool = True
    call_ids: CallIds = "any"
    seals: Seals = "none"
    formats: list[Format] | None = None
    stream_options: bool = True
    think_tags: ThinkTags = "none"
    extra: dict[str, object] = {}

    def taken(self) -> frozenset[str]:
        """The options that it takes; unless it says so, all that its dialect has a place for."""
        if self.takes is not None:
            return frozenset(self.takes)
        return OPTIONS if self.dialect == "chat" else OF_RESPONSES

    def speaks_of_chat(self) -> bool:
        """Whether it says something that only chat completions have."""
        return (self.going_on, self.think_tags, self.stream_options) != ("words", "none", True)


_CHOICES = {
    "dialect": Speech,
    "thinking": Thinking,
    "going_on": GoingOn,
    "think_tags": ThinkTags,
    "call_ids": CallIds,
    "seals": Seals,
}


@dataclass(frozen=True, slots=True)
class Own:
    """The endpoints of the file in its order, and by their ids the keys that stand in it."""

    rows: tuple[Vendor, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


NONE = Own()


def read(path: Path, taken: frozenset[str], *, required: bool) -> Own:
    """The endpoints of a file; none if it is not there and not `required`. `taken` are the ids
    that are somebody else's. Raises StartupError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin a file with a mark
        found = tomllib.loads(text)
    except FileNotFoundError:
        if required:
            raise StartupError(f"{path.name} of ENDPOINTS_FILE is not there: check it") from None
        return NONE
    except OSError:
        raise _wrong(path, "it cannot be read: check its permissions") from None
    except ValueError as error:  # no TOML, no UTF-8, a number without end
        where = re.search(r"\(at [^()]*\)$", str(error))
        place = f" {where[0]}" if where else ""
        raise _wrong(path, f"it is no TOML{place}: mend it there") from None
    tables = found.pop("endpoint", [])
    if found or not isinstance(tables, list):
        names = ", ".join(found) or "endpoint"
        raise _wrong(path, f"{names}: it holds tables called [[endpoint]] and nothing else")
    rows: list[Vendor] = []
    keys: dict[str, str] = {}
    for number, table in enumerate(tables, 1):
        entry = _entry(path, _called(table, number), table)
        _check(path, entry, taken | {row.id for row in rows})
        rows.append(_row(path, entry))
        if entry.key:
            keys[entry.id] = entry.key
    return Own(tuple(rows), keys)


def _wrong(path: Path, what: str) -> StartupError:
    return StartupError(f"{path.name}: {what}")


def _called(table: object, number: int) -> str:
    """How a sentence names an endpoint: by its id if it has one that can be shown."""
    name = table.get("id") if isinstance(table, dict) else None
    return (
        f"endpoint {name}"
        if isinstance(name, str) and _ID.fullmatch(name)
        else f"{number}. endpoint"
    )


def _entry(path: Path, who: str, table: object) -> Entry:
    try:
        return msgspec.convert(table, Entry)
    except msgspec.ValidationError as error:
        raise _wrong(path, f"{who}: {_sentence(str(error))}") from None


def _sentence(said: str) -> str:
    """msgspec's complaint with its mend: the field it is about, and what may stand there."""
    what, _, place = said.partition(" - at ")
    name = place.strip("`").removeprefix("$.")
    unknown = re.search(r"unknown field `([^`]*)`", what)
    if unknown and not name.startswith("$") and name:
        return f"{name} has no field {unknown[1]}: use {', '.join(_Model.__struct_fields__)}"
    if unknown:
        return f"there is no field {unknown[1]}: use {', '.join(Entry.__struct_fields__)}"
    if name in _CHOICES:
        return f"{name} is none of these, choose one: {', '.join(get_args(_CHOICES[name]))}"
    return f"{name + ': ' if name else ''}{what[:1].lower()}{what[1:]}: mend it"


def _check(path: Path, entry: Entry, taken: frozenset[str]) -> None:
    """Raises StartupError for what types cannot say."""
    who = f"endpoint {entry.id}" if _ID.fullmatch(entry.id) else "an endpoint"
    takes = entry.taken()
    faults = (
        (
            not _ID.fullmatch(entry.id),
            "its id is not fit for one: use a-z, 0-9 and -, a letter first, at most 32",
        ),
        (entry.id in taken, "this id is taken: choose another"),
        (
            not re.match(r"https?://[^\s/]", entry.base_url),
            "base_url is no address: it begins with http:// or https://",
        ),
        (bool(entry.key and entry.key_variable), "key and key_variable: keep one of them"),
        (
            bool(entry.key_variable and not _VARIABLE.fullmatch(entry.key_variable)),
            "key_variable is no name of a variable: use A-Z, 0-9 and _",
        ),
        (
            not all(_HEADER.fullmatch(name) for name in entry.headers),
            "headers: a name holds a character that no header's name has: remove it",
        ),
        (
            not all(value.isprintable() for value in (entry.key, *entry.headers.values())),
            "key or headers: a value holds a character that no request can carry: remove it",
        ),
        (not takes <= OPTIONS, f"takes: choose from {', '.join(sorted(OPTIONS))}"),
        (not entry.names.keys() <= takes, "names: an option that is not taken: add it to takes"),
        (
            entry.dialect == "responses" and entry.speaks_of_chat(),
            "going_on, think_tags, stream_options: not in the dialect responses, remove them",
        ),
        (not entry.efforts.keys() <= set(EFFORTS), f"efforts: choose from {', '.join(EFFORTS)}"),
    )
    for wrong, sentence in faults:
        if wrong:
            raise _wrong(path, f"{who}: {sentence}")


def _row(path: Path, entry: Entry) -> Vendor:
    habits = Habits(
        takes=entry.taken(),
        names=entry.names,
        thinking=entry.thinking,
        thinking_on=entry.thinking_on,
        efforts=entry.efforts,
        going_on=entry.going_on,
        going_on_thinks=entry.going_on_thinks,
        tools_think=entry.tools_think,
        forced=Habits().forced if entry.forced is None else frozenset(entry.forced),
        strict=entry.strict,
        call_ids=entry.call_ids,
        seals=entry.seals,
        formats=FORMATS if entry.formats is None else frozenset(entry.formats),
        stream_options=entry.stream_options,
        think_tags=entry.think_tags,
        extra=entry.extra,
    )
    return Vendor(
        id=entry.id,
        name=entry.name or entry.id,
        description=entry.description or f"An endpoint of your own, from {path.name}",
        base_url=entry.base_url,
        key_variable=entry.key_variable,
        needs_key=bool(entry.key_variable),
        models=tuple(_model(entry.id, one) for one in entry.models),
        habits=habits,
        headers={name.lower(): value for name, value in entry.headers.items()},  # ours are so
        first_piece_timeout_s=entry.first_piece_timeout_s,
        lists=entry.lists,
        file=path.name,
        dialect=entry.dialect,
    )


def _model(provider: str, one: _Model | str) -> Model:
    if isinstance(one, str):
        one = _Model(one)
    return Model(
        id=one.id,
        name=one.name or one.id,
        provider=provider,
        context_length=one.context_length,
        max_output_tokens=one.max_output_tokens,
        description=one.description or "Listed in an endpoint of your own",
        vision=one.vision,
        tools=one.tools,
        reasoning=one.reasoning,
    )
