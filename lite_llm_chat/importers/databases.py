"""Which product a SQLite file is of, and its conversations one by one.

webui.db · logs.db · anythingllm.db ─▶ (name, what reads it) …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from . import anythingllm, llm_logs, open_webui
from .base import Bag, Conversation, Wrong, id_of, text_of
from .sqlite import Tables

Entry = tuple[str, Callable[[Bag], Conversation]]


def format_of(tables: Tables) -> str | None:
    """The product's name, or None for a file that is none of theirs."""
    if llm_logs.is_one(tables):
        return llm_logs.SOURCE
    if tables.has("workspace_chats", "prompt", "response"):
        return anythingllm.SOURCE
    if tables.has("chat", "id") and (tables.has("chat", "chat") or tables.has("chat_message")):
        return open_webui.SOURCE
    return None


def entries(tables: Tables) -> Iterator[Entry]:
    """Each conversation's name and what reads it. Nothing for a file that is none of theirs."""
    match format_of(tables):
        case llm_logs.SOURCE:
            yield from llm_logs.entries(tables)
        case anythingllm.SOURCE:
            yield from _workspaces(tables)
        case open_webui.SOURCE:
            yield from _chats(tables)
        case _:
            return


def size(tables: Tables) -> int:
    """How many conversations there are, about: for the progress."""
    names = ("conversations", "workspaces", "chat")
    return max((tables.count(name) for name in names if tables.has(name)), default=0)


# ── Open WebUI ────────────────────────────────────────────────────────────────────────────────


def _chats(tables: Tables) -> Iterator[Entry]:
    paths = _folders(tables)
    for row in tables.rows("chat"):
        yield text_of(row.get("title")), _chat(tables, row, paths)


def _chat(
    tables: Tables, row: dict[str, Any], paths: dict[str, list[str]]
) -> Callable[[Bag], Conversation]:
    def read(bag: Bag) -> Conversation:
        entry = dict(row)
        entry["chat"] = _json(row.get("chat")) or {}
        entry["meta"] = _json(row.get("meta")) or {}
        entry["folder_path"] = paths.get(id_of(row.get("folder_id")) or "", [])
        history = entry["chat"].get("history")
        if not (isinstance(history, dict) and history.get("messages")):
            told = _rows(tables, row)
            if told:
                entry["chat"]["history"] = {**(history or {}), "messages": told}
        return open_webui.read(entry, bag)

    return read


def _rows(tables: Tables, row: dict[str, Any]) -> dict[str, Any]:
    """The messages of a chat that are rows. A row's id may begin with its chat's."""
    if not tables.has("chat_message", "chat_id", "role"):
        return {}
    chat_id = text_of(row.get("id"))
    found: dict[str, Any] = {}
    for one in tables.rows("chat_message", "chat_id = ?", (row.get("id"),), "created_at, rowid"):
        key = (id_of(one.get("id")) or f"#{len(found)}").removeprefix(f"{chat_id}-")
        parent = (id_of(one.get("parent_id")) or "").removeprefix(f"{chat_id}-")
        found[key] = {
            **{name: _json(value) for name, value in one.items()},
            "parentId": parent or None,
            "model": one.get("model_id"),
            "timestamp": one.get("created_at"),
            "done": one.get("done") not in (0, False),
        }
    return found


def _folders(tables: Tables) -> dict[str, list[str]]:
    """Each folder's path, by its id."""
    if not tables.has("folder", "id", "name"):
        return {}
    rows = {id_of(row.get("id")) or "": row for row in tables.rows("folder")}
    paths = {}
    for key in rows:
        path: list[str] = []
        at, passed = key, set[str]()
        while at in rows and at not in passed:
            passed.add(at)
            path.insert(0, text_of(rows[at].get("name")) or "folder")
            at = id_of(rows[at].get("parent_id")) or ""
        paths[key] = path
    return paths


def _json(value: object) -> Any:
    """A value that is JSON in a text; any other as it is. Raises Wrong."""
    if not isinstance(value, str | bytes) or value[:1] not in ("{", "[", '"', b"{", b"["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        if value[:1] in ("{", b"{"):
            raise Wrong("its JSON cannot be read") from None
        return value


# ── AnythingLLM ───────────────────────────────────────────────────────────────────────────────


def _workspaces(tables: Tables) -> Iterator[Entry]:
    names = _names(tables, "workspaces")
    threads = _names(tables, "workspace_threads")
    groups: dict[tuple[object, ...], None] = {}
    for row in tables.rows("workspace_chats"):
        groups[tuple(row.get(name) for name in ("workspaceId", "thread_id", "user_id"))] = None
    for workspace, thread, user in groups:
        title = " / ".join(filter(None, (names.get(workspace), threads.get(thread))))
        yield title, _workspace(tables, (workspace, thread, user), title)


def _names(tables: Tables, table: str) -> dict[object, str]:
    if not tables.has(table, "id", "name"):
        return {}
    return {row["id"]: text_of(row.get("name")) for row in tables.rows(table)}


def _workspace(
    tables: Tables, group: tuple[object, ...], title: str
) -> Callable[[Bag], Conversation]:
    def read(bag: Bag) -> Conversation:
        columns = [one for one in _COLUMNS if tables.has("workspace_chats", one)]
        where = " AND ".join(f'"{name}" IS ?' for name in columns)
        values = tuple(
            value for name, value in zip(_COLUMNS, group, strict=True) if name in columns
        )
        rows = tables.rows("workspace_chats", where or "1", values, "id")
        kept = (row for row in rows if row.get("include") not in (0, False))
        name = "/".join("" if value is None else str(value) for value in group)
        return anythingllm.read(f"workspace-{name}", title, kept, bag)

    return read


_COLUMNS = ("workspaceId", "thread_id", "user_id")
