"""`restore`: a backup in the place of the database, the old file kept."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ..config import load_settings
from ..store.backup import restore
from ..store.location import Location
from .trouble import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which backup."""
    parser.description = (
        "Put a backup in the place of the database of DATABASE_URL. The old file is\n"
        "kept beside it under a dated name. Stop the server first."
    )
    parser.epilog = "example: lite-llm-chat restore /var/backups/chat.db"
    parser.add_argument("file", type=Path, help="the backup")


def run(wanted: argparse.Namespace) -> int:
    """Put a backup in the database's place. Raises BackupError, StartupError."""
    location = Location.from_url(load_settings().database_url)
    kept = restore(wanted.file, location, datetime.now(UTC))
    print(f"{location.path} is what {wanted.file} has")
    if kept is not None:
        print(f"the old file is kept as {kept}")
    return Exit.WHOLE
