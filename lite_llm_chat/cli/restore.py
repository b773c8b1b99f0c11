"""`restore`: a backup in the place of the database, the old file kept, missing files put back."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from ..config import load_settings
from ..store.backup_folder import Backup, listed
from ..store.backup_whole import restore_whole
from ..store.location import Location
from .trouble import Exit, Trouble


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which backup."""
    parser.description = (
        "Put a backup in the place of the database of DATABASE_URL, and the uploaded\n"
        "files that it has into UPLOAD_DIR. The old database is kept beside it under a\n"
        "dated name. Stop the server first."
    )
    parser.epilog = "example: lite-llm-chat restore /var/backups/chat.db"
    parser.add_argument(
        "file", type=Path, nargs="?", help="the backup, its tar, or its name in BACKUP_DIR"
    )
    parser.add_argument("--list", action="store_true", help="show what is in BACKUP_DIR")


def run(wanted: argparse.Namespace) -> int:
    """Put a backup in the database's place. Raises BackupError, StartupError, Trouble."""
    if wanted.list == (wanted.file is not None):
        raise Trouble("name one backup, or say --list to see which there are", Exit.USAGE)
    settings = load_settings()
    location, folder = Location.from_url(settings.database_url), Path(settings.backup_dir)
    if wanted.list:
        return _show(listed(folder, location.path), folder)
    backup: Path = wanted.file
    if not backup.exists() and backup.name == str(backup) and (folder / backup).is_file():
        backup = folder / backup
    uploads = Path(settings.upload_dir)
    done = restore_whole(backup, location, uploads, datetime.now(UTC))
    print(f"{location.path} is what {backup} has")
    if done.kept is not None:
        print(f"the old file is kept as {done.kept}")
    if done.files.put:
        print(f"uploaded files put back into {uploads}: {done.files.put}")
    if done.files.missing:
        print(f"uploaded files that are nowhere: {done.files.missing}", file=sys.stderr)
    if done.files.damaged:
        print(f"damaged files, not put back: {done.files.damaged}", file=sys.stderr)
    return Exit.WHOLE


def _show(backups: list[Backup], folder: Path) -> int:
    """A line for each backup, the newest first."""
    if not backups:
        print(f"there is no backup in {folder}")
    for one in backups:
        good = "checked" if one.verified else "DAMAGED"
        size = f"{one.size_bytes / 1e6:.1f} MB"
        moment = f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC"
        lost = f", {one.missing} missing" if one.missing else ""
        print(f"{one.path}  {moment}  {size}  {good}  {one.files} files{lost}")
    return Exit.WHOLE
