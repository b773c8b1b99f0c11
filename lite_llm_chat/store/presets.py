"""Presets: named ways to be answered, in versions that never change; and the copies of sessions.

presets (name, newest version) ◀── preset_versions (preset_id, version)
                                          │ copied
                                          ▼
                          chat_sessions (system_prompt, options, …)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete

from ..domain import Preset, PresetRef, PresetVersion, Session
from ..errors import Conflict, NotFound
from .bare import first, run
from .codec import moment_to_text, options_to_text, text_to_moment, text_to_options
from .places import presets

_VERSION = "v.preset_id, v.version, v.provider, v.model, v.system_prompt, v.options, v.created_at"
_PRESETS = (
    f"SELECT p.id, p.name, p.created_at, p.updated_at, {_VERSION} FROM presets AS p"
    " JOIN preset_versions AS v ON v.preset_id = p.id AND v.version = p.version"
)
_VERSIONS = f"SELECT {_VERSION} FROM preset_versions AS v WHERE v.preset_id = ?"
_PAGE = f"{_PRESETS} WHERE p.id > ? ORDER BY p.id LIMIT ?"
_NAMED = "SELECT id FROM presets WHERE name = ?"
_CREATE = (
    "INSERT INTO presets (name, version, created_at, updated_at) VALUES (?, 1, ?, ?) RETURNING id"
)
_ADD = (
    "INSERT INTO preset_versions"
    " (preset_id, version, provider, model, system_prompt, options, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE = "UPDATE presets SET name = ?, version = ?, updated_at = ? WHERE id = ?"
_SETTLE = (
    "UPDATE chat_sessions SET system_prompt = ?, options = ?, preset_version = ?,"
    " preset_id = (SELECT id FROM presets WHERE id = ?) WHERE id = ?"
)


def _version(row: Any) -> PresetVersion:
    preset_id, version, provider, model, prompt, options, created = row
    made = text_to_moment(created)
    return PresetVersion(
        preset_id, version, provider, model, prompt, text_to_options(options), made
    )


def _preset(row: Any) -> Preset:
    id_, name, created, updated, *newest = row
    return Preset(id_, name, text_to_moment(created), text_to_moment(updated), _version(newest))


def get(conn: Connection, preset_id: int) -> Preset:
    """The preset. Raises NotFound `preset_not_found`."""
    row = first(conn, f"{_PRESETS} WHERE p.id = ?", (preset_id,))
    if row is None:
        raise NotFound(
            f"there is no preset {preset_id}: GET /presets lists those that exist",
            code="preset_not_found",
        )
    return _preset(row)


def find(conn: Connection, ref: PresetRef) -> PresetVersion:
    """What a preset says in a version. Raises NotFound `preset_not_found`."""
    preset = get(conn, ref.id)
    if ref.version is None:
        return preset.newest
    row = first(conn, f"{_VERSIONS} AND v.version = ?", (ref.id, ref.version))
    if row is None:
        raise NotFound(
            f"preset {ref.id} has no version {ref.version}: its newest is {preset.newest.version}",
            code="preset_not_found",
        )
    return _version(row)


def page(conn: Connection, after: int, most: int) -> Sequence[Preset]:
    """The first `most` presets after an id, oldest first."""
    return [_preset(row) for row in run(conn, _PAGE, (after, most))]


def versions(conn: Connection, preset_id: int, before: int, most: int) -> Sequence[PresetVersion]:
    """The newest `most` versions of a preset before a number, newest first. Raises NotFound."""
    get(conn, preset_id)
    select = f"{_VERSIONS} AND v.version < ? ORDER BY v.version DESC LIMIT ?"
    return [_version(row) for row in run(conn, select, (preset_id, before, most))]


def create(conn: Connection, name: str, says: PresetVersion) -> Preset:
    """A new preset; its version 1 is what `says`, whose numbers do not count. Raises Conflict
    `preset_exists`."""
    _require_free(conn, name, None)
    moment = moment_to_text(says.created_at)
    [(preset_id,)] = run(conn, _CREATE, (name, moment, moment))
    _add(conn, preset_id, 1, says)
    return get(conn, preset_id)


def change(conn: Connection, preset_id: int, name: str | None, says: PresetVersion) -> Preset:
    """Rename a preset (None: leave its name), and make what it `says` its next version unless it
    says that already. Raises NotFound, or Conflict `preset_exists`."""
    preset = get(conn, preset_id)
    newest = preset.newest
    name = name or preset.name
    version = newest.version
    if _words(says) != _words(newest):
        version += 1
        _add(conn, preset_id, version, says)
    if (name, version) != (preset.name, newest.version):
        _require_free(conn, name, preset_id)
        run(conn, _CHANGE, (name, version, moment_to_text(says.created_at), preset_id))
    return get(conn, preset_id)


def remove(conn: Connection, preset_id: int) -> None:
    """The preset with its versions; sessions keep what they copied. Raises NotFound."""
    get(conn, preset_id)
    conn.execute(delete(presets).where(presets.c.id == preset_id))


def settle(conn: Connection, session: Session) -> Session:
    """Keep how a session's answers are asked for; a preset that is gone by now is not named."""
    options = session.options and options_to_text(session.options)
    values = session.system_prompt, options, session.preset_version, session.preset_id
    run(conn, _SETTLE, (*values, session.id))
    return session


def _words(says: PresetVersion) -> tuple[object, ...]:
    return says.provider, says.model, says.system_prompt, says.options


def _add(conn: Connection, preset_id: int, version: int, says: PresetVersion) -> None:
    options = options_to_text(says.options)
    values = says.provider, says.model, says.system_prompt, options
    run(conn, _ADD, (preset_id, version, *values, moment_to_text(says.created_at)))


def _require_free(conn: Connection, name: str, preset_id: int | None) -> None:
    row = first(conn, _NAMED, (name,))
    if row is not None and row[0] != preset_id:
        raise Conflict(
            f"a preset is called {name!r} already: choose another name, or change that one",
            code="preset_exists",
            preset_id=row[0],
        )
