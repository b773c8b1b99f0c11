"""`backup`: a checked copy of the database, also while it is served, with its files if wished."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..config import load_settings
from ..store.backup import back_up
from ..store.backup_files import FILES
from ..store.backup_whole import Sources, back_up_whole
from ..store.location import Location
from .trouble import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where the copy goes."""
    parser.description = "Copy the database of DATABASE_URL, also while the server runs."
    parser.epilog = "example: lite-llm-chat backup /var/backups/chat.db"
    parser.add_argument("file", type=Path, help="where the copy goes")
    parser.add_argument("--replace", action="store_true", help="the file may exist")
    parser.add_argument(
        "--with-files",
        action="store_true",
        help="the uploaded files too, into a folder `files` beside the copy, each once",
    )


def run(wanted: argparse.Namespace) -> int:
    """Copy the database to a file. Raises BackupError, StartupError."""

    def tell(size: int) -> None:
        print(f"{size / 1e6:.0f} MB …", file=sys.stderr, flush=True)

    settings, target = load_settings(), Path(wanted.file)
    source = Location.from_url(settings.database_url).path
    if not wanted.with_files:
        size = back_up(source, target, replace=wanted.replace, tell=tell)
        print(f"{target} has the database, checked: {size / 1e6:.1f} MB")
        return Exit.WHOLE
    sources = Sources(source, Path(settings.upload_dir))
    kept = back_up_whole(sources, target, replace=wanted.replace, tell=tell)
    print(f"{target} has the database, checked: {kept.size_bytes / 1e6:.1f} MB")
    print(f"{target.parent / FILES} has the uploaded files: {kept.files - kept.missing}")
    if kept.missing:
        print(
            f"uploaded files that are gone from {sources.uploads}: {kept.missing}", file=sys.stderr
        )
    return Exit.WHOLE
