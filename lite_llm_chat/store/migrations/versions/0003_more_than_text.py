"""More than text: parts of a message, attachments, usage by columns, summaries, asides.

Only columns and tables are added, so nothing is copied; the usage of earlier answers moves from
their end into its columns.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

COUNTS = ("input", "cached", "output", "reasoning")


def upgrade() -> None:
    op.add_column("chat_messages", sa.Column("parts", sa.Text))
    op.add_column("chat_messages", sa.Column("call_id", sa.String(255)))
    op.add_column(
        "generations", sa.Column("waiting", sa.Boolean, nullable=False, server_default="0")
    )
    op.add_column(
        "generations", sa.Column("caller", sa.String(64), nullable=False, server_default="local")
    )
    for column in _usage_columns():
        op.add_column("generations", column)
    _count_earlier_answers()
    op.drop_index("generations_by_end", "generations")
    op.create_index(
        "generations_by_end",
        "generations",
        ["ended_at"],
        sqlite_where=sa.text("logged AND ended_at IS NOT NULL"),
    )
    _make_files()
    _make_asides()


def _usage_columns() -> list[sa.Column[int] | sa.Column[bool]]:
    counts = [sa.Column(f"{name}_tokens", sa.Integer) for name in COUNTS]
    return [*counts, sa.Column("estimated", sa.Boolean, nullable=False, server_default="0")]


def _count_earlier_answers() -> None:
    values = ", ".join(f"{name}_tokens = json_extract(ended, '$.usage.{name}')" for name in COUNTS)
    op.execute(f"UPDATE generations SET {values} WHERE json_extract(ended, '$.usage') IS NOT NULL")


def _make_files() -> None:
    op.add_column("files", sa.Column("kind", sa.String(16), nullable=False, server_default="other"))
    op.add_column(
        "files", sa.Column("owner", sa.String(64), nullable=False, server_default="local")
    )
    op.add_column("files", sa.Column("note", sa.Text))
    op.add_column("files", sa.Column("text", sa.Text))
    op.create_index("files_by_owner", "files", ["owner", "created_at", "id"])
    message = sa.ForeignKey("chat_messages.id", ondelete="CASCADE")
    op.create_table(
        "message_files",
        sa.Column("message_id", sa.Integer, message, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("file_id", sa.String(64), sa.ForeignKey("files.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("message_files_by_file", "message_files", ["file_id"])


def _make_asides() -> None:
    session = sa.ForeignKey("chat_sessions.id", ondelete="CASCADE")
    message = sa.ForeignKey("chat_messages.id", ondelete="CASCADE")
    op.create_table(
        "summaries",
        sa.Column("session_id", sa.Integer, session, primary_key=True),
        sa.Column("upto_id", sa.Integer, message, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("summaries_by_message", "summaries", ["upto_id"])
    op.create_table(
        "asides",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session_id", sa.Integer, sa.ForeignKey("chat_sessions.id", ondelete="SET NULL")),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("caller", sa.String(64), nullable=False, server_default="local"),
        *_usage_columns(),
    )
    op.create_index("asides_by_session", "asides", ["session_id"])
    op.create_index("asides_by_time", "asides", ["created_at"])
