"""The index of words, empty. What is there already is indexed behind the running server, in small
steps: a file with a million messages starts at once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


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
    op.execute(
        "CREATE VIRTUAL TABLE search_index USING fts5(words, content='', prefix='3',"
        " tokenize='ascii')"
    )
    op.execute("INSERT INTO search_index (search_index, rank) VALUES ('automerge', 0)")
    op.execute("INSERT INTO search_index (search_index, rank) VALUES ('crisismerge', 64)")
    op.execute(
        "INSERT INTO search_progress (id, rule, messages_upto, titles_upto, messages_total)"
        " VALUES (1, '', 0, 0, 0)"
    )
