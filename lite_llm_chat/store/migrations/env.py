"""How the migration library reaches the database: by the connection that the server hands it,
inside one transaction, so that a crash in the middle leaves the old schema."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
