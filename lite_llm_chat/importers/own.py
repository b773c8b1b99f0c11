"""Our own export: a conversation keeps its uid, its moments and everything that was set of it.

manifest.json ─▶ version     folders.json · presets.json ─▶ Shelf · Preset
sessions/<uid>.json ─▶ Conversation ◀─ files/<sha-256>
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ..domain import Attachment, Options, Origin, TitleBy
from ..store.codec import damaged, parts_to_text, text_to_parts
from .base import (
    Attached,
    Bag,
    Conversation,
    Head,
    Utterance,
    Wrong,
    dict_of,
    id_of,
    in_order,
    tags_of,
)

FORMAT = "lite-llm-chat"
VERSION = 1
_Damaged = type(damaged())
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Preset(msgspec.Struct, frozen=True):
    name: str
    version: int | None = None


class _Said(msgspec.Struct, frozen=True):
    n: int
    parent: int | None
    role: str
    content: str
    created_at: _Moment
    reasoning: str | None = None
    parts: Any = None
    call_id: str | None = None
    origin: Origin | None = None
    source_id: str | None = None


class _Session(msgspec.Struct, frozen=True):
    uid: str
    title: str
    provider: str
    model: str
    created_at: _Moment
    updated_at: _Moment
    messages: list[_Said]
    title_by: TitleBy = "person"
    pinned: bool = False
    unread: bool = False
    archived_at: _Moment | None = None
    folder: list[str] | None = None
    tags: list[str] = []
    system_prompt: str | None = None
    options: Options | None = None
    preset: _Preset | None = None
    source: str | None = None
    source_id: str | None = None
    active: int | None = None


class Shelf(msgspec.Struct, frozen=True, tag="shelf"):
    """A folder, by its path from the top."""

    path: tuple[str, ...]
    retention_days: int | None = None


class PresetVersion(msgspec.Struct, frozen=True):
    """What a preset said at a time."""

    version: int
    created_at: _Moment
    provider: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    options: Options | None = None


class Preset(msgspec.Struct, frozen=True, tag="preset"):
    """A preset with all its versions."""

    name: str
    versions: tuple[PresetVersion, ...]


def is_one(entry: Mapping[str, Any]) -> bool:
    return "uid" in entry and isinstance(entry.get("messages"), list) and "title_by" in entry


def is_manifest(entry: object) -> bool:
    return dict_of(entry).get("format") == FORMAT


def read(entry: Mapping[str, Any], bag: Bag) -> Conversation:
    """One session. Raises Wrong or Nothing."""
    try:
        session = msgspec.convert(entry, _Session)
        said = [_message(one, bag) for one in session.messages]
    except (msgspec.ValidationError, _Damaged) as cause:
        raise Wrong(f"it is not as this server writes it: {cause}") from None
    head = Head(
        session.source,
        id_of(session.source_id),
        session.title[:255],
        session.created_at,
        session.updated_at,
        session.archived_at,
        session.pinned,
        tuple(session.folder or ()),
        tags_of(session.tags),
        session.system_prompt,
        session.uid[:32],
        session.title_by,
        (session.provider, session.model),
        session.unread,
        session.options,
        (session.preset.name, session.preset.version) if session.preset else None,
    )
    return Conversation(
        head, in_order(said), None if session.active is None else f"#{session.active}"
    )


def _message(one: _Said, bag: Bag) -> Utterance:
    stored = one.parts
    if stored is not None and not isinstance(stored, str):
        stored = msgspec.json.encode(stored).decode()
    parts = text_to_parts(stored)
    if one.role not in ("system", "user", "assistant", "tool"):
        raise Wrong(f"a message has the role {one.role[:20]!r}")
    return Utterance(
        f"#{one.n}",
        None if one.parent is None else f"#{one.parent}",
        one.role,  # type: ignore[arg-type]
        one.content,
        one.created_at,
        id_of(one.source_id),
        one.reasoning,
        parts_to_text(parts),
        one.call_id,
        one.origin,
        tuple(_attached(part.id, part.name, bag) for part in parts if isinstance(part, Attachment)),
    )


def _attached(file_id: str, name: str, bag: Bag) -> Attached:
    return msgspec.structs.replace(bag.find(name, file_id), id=file_id)


def shelves(entries: object) -> Iterator[Shelf]:
    """The folders of an export. Raises Wrong."""
    yield from _converted(entries, list[Shelf])


def presets(entries: object) -> Iterator[Preset]:
    """The presets of an export. Raises Wrong."""
    yield from _converted(entries, list[Preset])


def _converted(entries: object, kind: Any) -> Any:
    tag = "shelf" if kind == list[Shelf] else "preset"
    listed = [{**one, "type": tag} for one in entries] if isinstance(entries, list) else entries
    try:
        return msgspec.convert(listed, kind)
    except (msgspec.ValidationError, TypeError) as cause:
        raise Wrong(f"it is not as this server writes it: {cause}") from None
