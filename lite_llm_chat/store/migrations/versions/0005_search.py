"""The index of words, empty, and triggers that say what it has still to learn. What is there is
indexed behind the running server, in small steps: a file with a million messages starts at once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WAITS = "INSERT OR IGNORE INTO search_waiting"
TRIGGERS = (
    f"search_new_message AFTER INSERT ON chat_messages BEGIN {WAITS} (id) VALUES (NEW.id); END",
    (
        "search_changed_message AFTER UPDATE OF content, parts ON chat_messages BEGIN"
        f" {WAITS} VALUES (OLD.id, OLD.session_id, OLD.content, OLD.parts); END"
    ),
    (
        "search_gone_message AFTER DELETE ON chat_messages BEGIN"
        f" {WAITS} VALUES (OLD.id, OLD.session_id, OLD.content, OLD.parts); END"
    ),
    f"search_new_title AFTER INSERT ON chat_sessions BEGIN {WAITS} (id) VALUES (-NEW.id); END",
    (
        "search_changed_title AFTER UPDATE OF title ON chat_sessions BEGIN"
        f" {WAITS} VALUES (-OLD.id, OLD.id, OLD.title, NULL); END"
    ),
    (
        "search_gone_title AFTER DELETE ON chat_sessions BEGIN"
        f" {WAITS} VALUES (-OLD.id, OLD.id, OLD.title, NULL); END"
    ),
)


def upgrade() -> None:
    op.create_table(
        "search_progress",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("messages_upto", sa.Integer, nullable=False),
        sa.Column("titles_upto", sa.Integer, nullable=False),
        sa.Column("messages_total", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "search_waiting",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session_id", sa.Integer),
        sa.Column("was", sa.Text),
        sa.Column("parts", sa.Text),
    )
    op.execute(
        "CREATE VIRTUAL TABLE search_index USING fts5(words, content='',"
        " prefix='3', tokenize='ascii')"
    )
    op.execute("INSERT INTO search_index (search_index, rank) VALUES ('automerge', 0)")
    op.execute("INSERT INTO search_index (search_index, rank) VALUES ('crisismerge', 64)")
    op.execute("INSERT INTO search_progress VALUES (1, '', 0, 0, 0)")
    for trigger in TRIGGERS:
        op.execute(f"CREATE TRIGGER {trigger}")
