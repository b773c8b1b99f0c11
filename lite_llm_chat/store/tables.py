"""The tables, and what their rows may never say.

    chat_sessions ──leaf_id──▶ chat_messages ──parent_id──▶ chat_messages ─▶ … ─▶ root
          ▲                        ▲
          └── session_id ──────────┤
                                generations ◀── events (generation_id, seq)
                                     ▲
                                idempotency_keys          files ◀── message_files ──▶ a message
              summaries ──▶ a session        asides: what was asked beside any conversation's answer

`chat_sessions` and `chat_messages` keep the names and columns of the plain two-table schema; the
rest came with migrations 0002 to 0004. The rows themselves hold three rules: at most one live
generation a session and slot (`one_live_generation`; only a question that several models answer
at once has more than slot 0), one writer of a log (the primary key of `events`), and
a terminal generation that never changes (the trigger at the end of this file).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

REVISION = "0004"  # the newest migration; a database at this revision needs no migration at all


class UtcDateTime(TypeDecorator[datetime]):
    """Stored as naive UTC text, as the plain schema did; aware UTC everywhere else."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


metadata = MetaData()


def _usage_columns() -> list[Column[Any]]:
    """Tokens, as a Usage counts them; empty where none are known."""
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    counts: list[Column[Any]] = [Column(name, Integer) for name in names]
    return [*counts, Column("estimated", Boolean, nullable=False, server_default="0")]


def _where_set(name: str, column: str) -> Index:
    """An index of the few rows that have something in a column."""
    return Index(name, column, sqlite_where=text(f"{column} IS NOT NULL"))


# A message's parent has no ON DELETE CASCADE on purpose: messages go only with their session, and a
# cascade along a branch would recurse once a message (SQLite stops at 1,000). The newest go first:
# a parent is always older. `sessions_by_leaf` is for that too: whoever deletes a message looks for
# the sessions that end in it.

sessions = Table(
    "chat_sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String(255), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("leaf_id", ForeignKey("chat_messages.id", ondelete="SET NULL")),
    Column("uid", String(32)),
    Column("title_by", String(8), nullable=False, server_default="person"),
    Column("pinned", Boolean, nullable=False, server_default="0"),
    Column("unread", Boolean, nullable=False, server_default="0"),
    Column("archived_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("folder_id", ForeignKey("folders.id", ondelete="SET NULL")),
    Column("system_prompt", Text),
    Column("options", Text),
    Column("preset_id", ForeignKey("presets.id", ondelete="SET NULL")),
    Column("preset_version", Integer),
    Column("forked_from", ForeignKey("chat_messages.id", ondelete="SET NULL")),
    Column("source", String(32)),
    Column("source_id", String(255)),
    Index("sessions_by_update", "updated_at", "id"),
    Index("sessions_by_uid", "uid", unique=True),
    _where_set("sessions_by_leaf", "leaf_id"),
    _where_set("sessions_by_folder", "folder_id"),
    _where_set("sessions_by_preset", "preset_id"),
    _where_set("sessions_by_fork", "forked_from"),
    _where_set("sessions_by_deletion", "deleted_at"),
    Index(
        "sessions_by_source",
        "source",
        "source_id",
        unique=True,
        sqlite_where=text("source IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

messages = Table(
    "chat_messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="CASCADE"), nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("parent_id", ForeignKey("chat_messages.id")),
    Column("depth", Integer, nullable=False, server_default="1"),
    Column("reasoning", Text),
    Column("generation_id", String(32)),
    Column("parts", Text),
    Column("call_id", String(255)),
    Column("origin", Text),
    Column("source_id", String(255)),
    Index("messages_by_session", "session_id"),
    Index("messages_by_parent", "parent_id"),
    Index(
        "messages_by_source",
        "session_id",
        "source_id",
        unique=True,
        sqlite_where=text("source_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

generations = Table(
    "generations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", ForeignKey("chat_messages.id", ondelete="CASCADE"), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    Column("options", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("first_piece_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("ended", Text),
    Column("cancel_requested", Boolean, nullable=False, server_default="0"),
    Column("logged", Boolean, nullable=False, server_default="1"),
    Column("waiting", Boolean, nullable=False, server_default="0"),
    Column("caller", String(64), nullable=False, server_default="local"),
    Column("slot", Integer, nullable=False, server_default="0"),
    *_usage_columns(),
    CheckConstraint(
        "status IN ('queued','running','completed','failed','cancelled','interrupted')",
        name="known_status",
    ),
    CheckConstraint(
        "(ended IS NULL) = (status IN ('queued','running'))", name="ended_iff_terminal"
    ),
    Index("generations_by_message", "message_id", unique=True),
    Index("generations_by_session", "session_id"),
    Index(
        "one_live_generation",
        "session_id",
        "slot",
        unique=True,
        sqlite_where=text("status IN ('queued','running')"),
    ),
    Index("generations_by_end", "ended_at", sqlite_where=text("logged AND ended_at IS NOT NULL")),
)

events = Table(
    "events",
    metadata,
    Column("generation_id", ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("generation_id", ForeignKey("generations.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("idempotency_keys_by_age", "created_at"),
    Index("idempotency_keys_by_generation", "generation_id"),
)

files = Table(
    "files",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False, server_default="other"),
    Column("owner", String(64), nullable=False, server_default="local"),
    Column("note", Text),
    Column("text", Text),  # the last one: a list must not read through it
    Index("files_by_owner", "owner", "created_at", "id"),
)

message_files = Table(
    "message_files",
    metadata,
    Column("message_id", ForeignKey("chat_messages.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("file_id", ForeignKey("files.id"), nullable=False),
    Index("message_files_by_file", "file_id"),
    sqlite_with_rowid=False,
)

summaries = Table(
    "summaries",
    metadata,
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("upto_id", ForeignKey("chat_messages.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("summaries_by_message", "upto_id"),
    sqlite_with_rowid=False,
)

asides = Table(
    "asides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="SET NULL")),
    Column("purpose", String(16), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("caller", String(64), nullable=False, server_default="local"),
    *_usage_columns(),
    Index("asides_by_session", "session_id"),
    Index("asides_by_time", "created_at"),
)

# What an ended generation says never changes. Migration 0002 makes the same trigger.
TERMINAL_TRIGGER = (
    "CREATE TRIGGER terminal_generations_are_immutable BEFORE UPDATE OF"
    " status, ended, ended_at, last_seq, session_id, message_id ON generations"
    " WHEN NOT (OLD.status IN ('queued','running'))"
    " BEGIN SELECT raise(ABORT, 'a terminal generation never changes'); END"
)
