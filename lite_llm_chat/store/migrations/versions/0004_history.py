"""History that people live in: folders, tags, presets, shares, imports; where a session is put and
how it answers; what an imported message says of itself; several answers to one question.

Only columns and tables are added. Every session gets a lasting name (`uid`) that an export carries.
Two rules of rows are made anew: one live answer a session becomes one live answer a session and
slot, for a question may be answered by several models at once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

LIVE = "status IN ('queued','running')"


def upgrade() -> None:
    _make_places()
    _make_presets()
    _widen_sessions()
    _widen_messages()
    _allow_several_answers()
    _make_shares()
    _make_imports()


def _moment(name: str, *, needed: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime, nullable=not needed)


def _make_places() -> None:
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("folders.id", ondelete="CASCADE")),
        sa.Column("retention_days", sa.Integer),
        _moment("created_at", needed=True),
    )
    op.create_index("folders_by_parent", "folders", ["parent_id"])
    session = sa.ForeignKey("chat_sessions.id", ondelete="CASCADE")
    op.create_table(
        "session_tags",
        sa.Column("session_id", sa.Integer, session, primary_key=True),
        sa.Column("tag", sa.String(64), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("session_tags_by_tag", "session_tags", ["tag", "session_id"])


def _make_presets() -> None:
    op.create_table(
        "presets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _moment("created_at", needed=True),
        _moment("updated_at", needed=True),
        sqlite_autoincrement=True,
    )
    preset = sa.ForeignKey("presets.id", ondelete="CASCADE")
    op.create_table(
        "preset_versions",
        sa.Column("preset_id", sa.Integer, preset, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("provider", sa.String(64)),
        sa.Column("model", sa.String(255)),
        sa.Column("system_prompt", sa.Text),
        sa.Column("options", sa.Text, nullable=False),
        _moment("created_at", needed=True),
        sqlite_with_rowid=False,
    )


def _widen_sessions() -> None:
    add = "ALTER TABLE chat_sessions ADD COLUMN"
    for column in (
        "uid VARCHAR(32)",
        "title_by VARCHAR(8) DEFAULT 'person' NOT NULL",
        "pinned BOOLEAN DEFAULT '0' NOT NULL",
        "unread BOOLEAN DEFAULT '0' NOT NULL",
        "archived_at DATETIME",
        "deleted_at DATETIME",
        "folder_id INTEGER REFERENCES folders (id) ON DELETE SET NULL",
        "system_prompt TEXT",
        "options TEXT",
        "preset_id INTEGER REFERENCES presets (id) ON DELETE SET NULL",
        "preset_version INTEGER",
        "forked_from INTEGER REFERENCES chat_messages (id) ON DELETE SET NULL",
        "source VARCHAR(32)",
        "source_id VARCHAR(255)",
    ):
        op.execute(f"{add} {column}")
    op.execute("UPDATE chat_sessions SET uid = lower(hex(randomblob(16)))")
    op.create_index("sessions_by_uid", "chat_sessions", ["uid"], unique=True)
    partial = {
        "sessions_by_leaf": ["leaf_id"],
        "sessions_by_folder": ["folder_id"],
        "sessions_by_preset": ["preset_id"],
        "sessions_by_fork": ["forked_from"],
        "sessions_by_deletion": ["deleted_at"],
    }
    for name, columns in partial.items():
        there = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "chat_sessions", columns, sqlite_where=there)
    op.create_index(
        "sessions_by_source",
        "chat_sessions",
        ["source", "source_id"],
        unique=True,
        sqlite_where=sa.text("source IS NOT NULL"),
    )


def _widen_messages() -> None:
    op.add_column("chat_messages", sa.Column("origin", sa.Text))
    op.add_column("chat_messages", sa.Column("source_id", sa.String(255)))
    op.create_index(
        "messages_by_source",
        "chat_messages",
        ["session_id", "source_id"],
        unique=True,
        sqlite_where=sa.text("source_id IS NOT NULL"),
    )


def _allow_several_answers() -> None:
    op.add_column("generations", sa.Column("slot", sa.Integer, nullable=False, server_default="0"))
    op.drop_index("one_live_generation", "generations")
    op.create_index(
        "one_live_generation",
        "generations",
        ["session_id", "slot"],
        unique=True,
        sqlite_where=sa.text(LIVE),
    )


def _make_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column(
            "session_id",
            sa.Integer,
            sa.ForeignKey("chat_sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("with_files", sa.Boolean, nullable=False),
        _moment("created_at", needed=True),
        _moment("expires_at"),
        _moment("revoked_at"),
        sa.Column("snapshot", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("shares_by_token", "shares", ["token_hash"], unique=True)
    op.create_index("shares_by_session", "shares", ["session_id"])
    share = sa.ForeignKey("shares.id", ondelete="CASCADE")
    op.create_table(
        "share_files",
        sa.Column("share_id", sa.Integer, share, primary_key=True),
        sa.Column("file_id", sa.String(64), sa.ForeignKey("files.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("share_files_by_file", "share_files", ["file_id"])


def _make_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        _moment("created_at", needed=True),
        _moment("ended_at"),
        sa.Column("report", sa.Text, nullable=False),
    )
    op.create_index("imports_by_time", "imports", ["created_at"])
