"""`backup`: a checked copy of the database, also while it is served."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..config import load_settings
from ..store.backup import back_up
from ..store.location import Location
from .trouble import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where the copy goes."""
    parser.description = "Copy the database of DATABASE_URL, also while the server runs."
    parser.epilog = "example: lite-llm-chat backup /var/backups/chat.db"
    parser.add_argument("file", type=Path, help="where the copy goes")
    parser.add_argument("--replace", action="store_true", help="the file may exist")


def run(wanted: argparse.Namespace) -> int:
    """Copy the database to a file. Raises BackupError, StartupError."""

    def tell(size: int) -> None:
        print(f"{size / 1e6:.0f} MB …", file=sys.stderr, flush=True)

    source = Location.from_url(load_settings().database_url).path
    size = back_up(source, wanted.file, replace=wanted.replace, tell=tell)
    print(f"{wanted.file} has the database, checked: {size / 1e6:.1f} MB")
    return Exit.WHOLE
