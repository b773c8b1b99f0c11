"""The message tree, generations and their logs, idempotency keys, files.

The two plain tables are built anew, since files made elsewhere lack some of their rules: every
row is copied. The messages of a session become one branch in the order of their ids; a message
whose session is gone, or that never had one, gets a session titled "Recovered chat"; an empty date
becomes the moment of the migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
LIVE = "status IN ('queued','running')"


def upgrade() -> None:
    op.execute("ALTER TABLE chat_messages RENAME TO plain_messages")
    op.execute("ALTER TABLE chat_sessions RENAME TO plain_sessions")
    _adopt_messages_without_session()
    _make_conversation_tables()
    _copy_conversations()
    op.execute("DROP TABLE plain_messages")
    op.execute("DROP TABLE plain_sessions")
    _make_indexes()
    _make_generations()
    _make_events()
    _make_idempotency_keys()
    _make_files()


def _adopt_messages_without_session() -> None:
    op.execute(
        "INSERT INTO plain_sessions (id, title, provider, model, created_at, updated_at)"
        " SELECT 1 + max(coalesce((SELECT max(id) FROM plain_sessions), 0),"
        " coalesce((SELECT max(session_id) FROM plain_messages), 0)),"
        f" 'Recovered chat', 'deepseek', 'deepseek-chat', {NOW}, {NOW}"
        " WHERE EXISTS (SELECT 1 FROM plain_messages WHERE session_id IS NULL)"
    )
    op.execute(
        "UPDATE plain_messages SET session_id = (SELECT max(id) FROM plain_sessions)"
        " WHERE session_id IS NULL"
    )


def _make_conversation_tables() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        sa.Column("leaf_id", sa.Integer, sa.ForeignKey("chat_messages.id", ondelete="SET NULL")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "session_id",
            sa.Integer,
            sa.ForeignKey("chat_sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("chat_messages.id")),
        sa.Column("depth", sa.Integer, nullable=False, server_default="1"),
        sa.Column("reasoning", sa.Text),
        sa.Column("generation_id", sa.String(32)),
        sqlite_autoincrement=True,
    )


def _make_indexes() -> None:
    op.create_index("sessions_by_update", "chat_sessions", ["updated_at", "id"])
    op.create_index("messages_by_session", "chat_messages", ["session_id"])
    op.create_index("messages_by_parent", "chat_messages", ["parent_id"])


def _copy_conversations() -> None:
    op.execute(
        "INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at)"
        " SELECT id, coalesce(nullif(title, ''), 'Chat'), coalesce(provider, 'deepseek'),"
        f" coalesce(model, 'deepseek-chat'), coalesce(created_at, {NOW}),"
        f" coalesce(updated_at, created_at, {NOW}) FROM plain_sessions"
    )
    op.execute(
        "INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at)"
        f" SELECT session_id, 'Recovered chat', 'deepseek', 'deepseek-chat', {NOW}, {NOW}"
        " FROM plain_messages WHERE session_id NOT IN (SELECT id FROM chat_sessions)"
        " GROUP BY session_id"
    )
    op.execute(
        "INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id, depth)"
        f" SELECT id, session_id, role, coalesce(content, ''), coalesce(created_at, {NOW}),"
        " lag(id) OVER (PARTITION BY session_id ORDER BY id),"
        " row_number() OVER (PARTITION BY session_id ORDER BY id)"
        " FROM plain_messages ORDER BY id"
    )
    op.execute(
        "UPDATE chat_sessions SET leaf_id ="
        " (SELECT max(id) FROM chat_messages WHERE session_id = chat_sessions.id)"
    )


def _make_generations() -> None:
    op.create_table(
        "generations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "session_id",
            sa.Integer,
            sa.ForeignKey("chat_sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column(
            "message_id",
            sa.Integer,
            sa.ForeignKey("chat_messages.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("warnings", sa.Text, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("first_piece_at", sa.DateTime),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("ended", sa.Text),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default="0"),
        sa.Column("logged", sa.Boolean, nullable=False, server_default="1"),
        sa.CheckConstraint(
            "status IN ('queued','running','completed','failed','cancelled','interrupted')",
            name="known_status",
        ),
        sa.CheckConstraint(f"(ended IS NULL) = ({LIVE})", name="ended_iff_terminal"),
    )
    op.create_index("generations_by_message", "generations", ["message_id"], unique=True)
    op.create_index("generations_by_session", "generations", ["session_id"])
    op.create_index(
        "one_live_generation",
        "generations",
        ["session_id"],
        unique=True,
        sqlite_where=sa.text(LIVE),
    )
    op.create_index(
        "generations_by_end", "generations", ["ended_at"], sqlite_where=sa.text("logged")
    )
    op.execute(
        "CREATE TRIGGER terminal_generations_are_immutable BEFORE UPDATE OF"
        " status, ended, ended_at, last_seq, session_id, message_id ON generations"
        f" WHEN NOT (OLD.{LIVE})"
        " BEGIN SELECT raise(ABORT, 'a terminal generation never changes'); END"
    )


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column(
            "generation_id",
            sa.String(32),
            sa.ForeignKey("generations.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column(
            "generation_id",
            sa.String(32),
            sa.ForeignKey("generations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"])
    op.create_index("idempotency_keys_by_generation", "idempotency_keys", ["generation_id"])


def _make_files() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
