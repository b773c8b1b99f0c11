"""The tables around sessions: where they are put, how they answer, who else may read them.

folders ◀── chat_sessions ──▶ presets ◀── preset_versions
                 ▲  ▲
   session_tags ─┘  └─ shares ◀── share_files ──▶ files          imports
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from .tables import UtcDateTime, metadata

folders = Table(
    "folders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("parent_id", ForeignKey("folders.id", ondelete="CASCADE")),
    Column("retention_days", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Index("folders_by_parent", "parent_id"),
)

session_tags = Table(
    "session_tags",
    metadata,
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(64), primary_key=True),
    Index("session_tags_by_tag", "tag", "session_id"),
    sqlite_with_rowid=False,
)

presets = Table(
    "presets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

preset_versions = Table(
    "preset_versions",
    metadata,
    Column("preset_id", ForeignKey("presets.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("provider", String(64)),
    Column("model", String(255)),
    Column("system_prompt", Text),
    Column("options", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

shares = Table(
    "shares",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), nullable=False),
    Column("session_id", ForeignKey("chat_sessions.id", ondelete="CASCADE"), nullable=False),
    Column("title", String(255), nullable=False),
    Column("with_files", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("snapshot", Text, nullable=False),
    Index("shares_by_token", "token_hash", unique=True),
    Index("shares_by_session", "session_id"),
    sqlite_autoincrement=True,
)

share_files = Table(
    "share_files",
    metadata,
    Column("share_id", ForeignKey("shares.id", ondelete="CASCADE"), primary_key=True),
    Column("file_id", ForeignKey("files.id"), primary_key=True),
    Index("share_files_by_file", "file_id"),
    sqlite_with_rowid=False,
)

imports = Table(
    "imports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("report", Text, nullable=False),
    Index("imports_by_time", "created_at"),
)
