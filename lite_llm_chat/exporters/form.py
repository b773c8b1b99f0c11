"""Our own format, version 1: what an archive holds and another instance imports without a loss.

    Head ─▶ start │ Record ─▶ message │ message │ … │ END        the JSON of one session, in pieces

The same state gives the same bytes. One message a line, keys always all there and in one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..domain import LIVE, Message, Origin, Part, Reasoning, Seal, merged
from ..store.codec import moment_to_text, options_to_text, parts_to_text
from ..store.records import File, Folder, Head, Record
from .chosen import number

FORMAT = "lite-llm-chat"
VERSION = 1
END = b"\n]}\n"

_encode = msgspec.json.Encoder().encode


def _line(value: object) -> bytes:
    return _encode(value) + b"\n"


MANIFEST = _line({"format": FORMAT, "version": VERSION})


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, always to the microsecond."""
    return None if at is None else f"{moment_to_text(at).replace(' ', 'T')}Z"


def _raw(text: str | None) -> msgspec.Raw | None:
    """JSON text that is put in as it is."""
    return None if text is None else msgspec.Raw(text.encode())


def folders(found: Sequence[Folder]) -> bytes:
    """The folders."""
    return _line([{"path": one.path, "retention_days": one.retention_days} for one in found])


def presets(found: Sequence[Mapping[str, Any]]) -> bytes:
    """The presets, as the store gives them."""

    def version(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "options": _raw(one["options"]), "created_at": moment(one["created_at"])}

    return _line(
        [{**preset, "versions": [version(one) for one in preset["versions"]]} for preset in found]
    )


def about_file(file: File) -> bytes:
    """What stands beside a file's bytes."""
    return _line({"name": file.name, "media_type": file.media_type})


def start(head: Head, ids: Sequence[int]) -> bytes:
    """A session up to its messages, of which `ids` are chosen; they grow."""
    session, options, leaf_id = head.session, head.session.options, head.session.leaf_id
    preset = head.preset and {"name": head.preset, "version": session.preset_version}
    fields = {
        "uid": session.uid,
        "title": session.title,
        "title_by": session.title_by,
        "provider": session.provider,
        "model": session.model,
        "created_at": moment(session.created_at),
        "updated_at": moment(session.updated_at),
        "pinned": session.pinned,
        "unread": session.unread,
        "archived_at": moment(session.archived_at),
        "folder": head.folder,
        "tags": session.tags,
        "system_prompt": session.system_prompt,
        "options": None if options is None else _raw(options_to_text(options)),
        "preset": preset,
        "source": session.source,
        "source_id": session.source_id,
        "active": leaf_id and number(ids, leaf_id),
    }
    return _encode(fields)[:-1] + b',"messages":['


def message(record: Record, ids: Sequence[int], *, reasoning: bool = True) -> bytes:
    """One message of a session, of which `ids` are chosen."""
    said, at = record.message, number(ids, record.message.id)
    parts = said.parts if reasoning else _unthought(said.parts)
    fields = {
        "n": at,
        "parent": said.parent_id and number(ids, said.parent_id),
        "role": said.role,
        "content": said.content,
        "created_at": moment(said.created_at),
        "reasoning": said.reasoning if reasoning else None,
        "parts": _raw(parts_to_text(parts)),
        "call_id": said.call_id,
        "origin": _origin(said) if record.made else None,
        "source_id": record.source_id,
    }
    return (b"\n" if at == 1 else b",\n") + _encode(fields)


def _unthought(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Parts without reasoning, and without the seals that vendors put on it."""
    return merged([part for part in parts if not isinstance(part, Reasoning | Seal)])


def _origin(said: Message) -> msgspec.Raw:
    """What an answer says of its making, here or where it came from."""
    status = "interrupted" if said.status in LIVE else said.status
    origin = Origin(said.provider, said.model, status, said.finish_reason, said.usage, said.fault)
    return msgspec.Raw(_encode({name: getattr(origin, name) for name in origin.__struct_fields__}))
