"""What the doctor looks at on this machine: versions, folders, the database, the clock, the port.

Nothing is changed by looking: no folder is made, no lock is taken, no migration is begun.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from ..config import Settings
from ..store.location import NETWORK_FILESYSTEMS, Location, filesystem_of
from ..store.tables import REVISION
from . import reach
from .client import Client
from .findings import Finding, fail, ok, warn
from .text import size

OLDEST_SQLITE = (3, 38, 0)
LITTLE_BYTES = 1_000_000_000
NOTHING_BYTES = 50_000_000
SKEW_S = 60.0


# ── versions ──────────────────────────────────────────────────────────────────────────────────


def versions(root: Path) -> Iterator[Finding]:
    """Of Python, SQLite and the packages that the pins name; `root` may hold requirement.txt."""
    yield ok("Python", sys.version.split()[0])
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        mend = f"use a Python that is built with SQLite {wanted} or newer"
        yield fail("SQLite", sqlite3.sqlite_version, mend)
    else:
        yield ok("SQLite", sqlite3.sqlite_version)
    found = dict(_pins(root))
    wrong = sorted(filter(None, (_difference(*each) for each in found.items())))
    if wrong:
        mend = "pip install -r requirement.txt"
        yield warn("packages", "; ".join(wrong), mend)
    elif found:
        yield ok("packages", f"{len(found)} as pinned")


def _pins(root: Path) -> Iterator[tuple[str, str]]:
    """Name and version of every pinned package, of the repository or of the installed program."""
    try:
        lines: Iterable[str] = (root / "requirement.txt").read_text("utf-8").splitlines()
    except OSError:
        try:
            lines = [each for each in requires("lite-llm-chat") or [] if "extra" not in each]
        except PackageNotFoundError:
            return
    for line in lines:
        if match := re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line):
            yield match[1], match[2]


def _difference(name: str, wanted: str) -> str:
    try:
        there = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    return "" if there == wanted else f"{name} is {there} instead of {wanted}"


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def disk(settings: Settings, location: Location) -> Iterator[Finding]:
    """Space and rights where the database and the uploaded files are."""
    yield _folder("database folder", location.path.parent, "DATABASE_URL")
    yield _folder("upload folder", Path(settings.upload_dir).absolute(), "UPLOAD_DIR")
    there = _nearest(location.path.parent)
    kind = filesystem_of(there)
    if kind in NETWORK_FILESYSTEMS and not settings.allow_network_filesystem:
        mend = "move the database to a local disk"
        yield fail("file system", f"{kind} is on the network, where SQLite can corrupt", mend)
    free = shutil.disk_usage(there).free
    mend = f"make room on the disk of {there}"
    if free < NOTHING_BYTES:
        yield fail("disk space", f"{size(free)} free", mend)
    elif free < LITTLE_BYTES:
        yield warn("disk space", f"{size(free)} free", mend)
    else:
        yield ok("disk space", f"{size(free)} free")


def _nearest(folder: Path) -> Path:
    """The folder, or the innermost one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _folder(what: str, folder: Path, setting: str) -> Finding:
    there = _nearest(folder)
    if not there.is_dir():
        mend = f"move that file away, or set {setting} to another place"
        return fail(what, f"{there} is a file", mend)
    if not os.access(there, os.W_OK | os.X_OK):
        mend = f"give this user the right to write there, or set {setting} to another place"
        return fail(what, f"{there} cannot be written to", mend)
    return ok(what, f"{folder}" if there == folder else f"{folder} (made at the first start)")


def database(location: Location) -> Iterator[Finding]:
    """Whether it is ours, sound and of this version. It may be in use meanwhile."""
    path = location.path
    if not path.exists():
        yield ok("database", f"{path} is made at the first start")
        return
    if not os.access(path, os.R_OK | os.W_OK):
        mend = "give this user the right to read and write it"
        yield fail("database", f"{path} cannot be opened for writing", mend)
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=10)) as file:
            yield _soundness(file, path)
            yield _revision(file)
            yield from _newest(file)
    except sqlite3.Error as cause:
        mend = "restore a backup: lite-llm-chat restore FILE"
        yield fail("database", f"{path} cannot be read as a database ({cause})", mend)


def _soundness(file: sqlite3.Connection, path: Path) -> Finding:
    verdict = file.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict == "ok":
        return ok("database", f"{path}, {size(path.stat().st_size)}, sound")
    return fail("database", f"{path} is damaged", "restore a backup: lite-llm-chat restore FILE")


def _revision(file: sqlite3.Connection) -> Finding:
    names = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    if "alembic_version" not in names:
        if names - {"sqlite_sequence"} and not {"chat_sessions", "chat_messages"} <= names:
            mend = "point DATABASE_URL to a file of its own"
            return fail("revision", "the file holds other tables than this server's", mend)
        return ok("revision", f"none yet; the next start brings it to {REVISION}")
    row = file.execute("SELECT version_num FROM alembic_version").fetchone()
    there = row[0] if row else ""
    if there > REVISION:
        mend = "update this program, or restore an older backup"
        return fail("revision", f"{there}, this program knows {REVISION}", mend)
    if there < REVISION:
        return ok("revision", f"{there}; the next start keeps a copy and brings it to {REVISION}")
    return ok("revision", there)


def _newest(file: sqlite3.Connection) -> Iterator[Finding]:
    """A session of the future: the clock was wrong then, or is now."""
    try:
        row = file.execute("SELECT max(updated_at) FROM chat_sessions").fetchone()
    except sqlite3.Error:  # not the tables of this program: said elsewhere
        return
    if row[0] is None:
        return
    newest = datetime.fromisoformat(str(row[0])).replace(tzinfo=UTC)
    if newest > datetime.now(UTC) + timedelta(seconds=SKEW_S):
        yield warn(
            "clock",
            f"the newest session is of {newest:%Y-%m-%d %H:%M} UTC, which is still to come",
            "set this machine's clock, and keep it by NTP",
        )


def clock() -> Finding:
    """This machine's clock against that of the disk for new files."""
    with tempfile.NamedTemporaryFile() as file:
        skew_s = Path(file.name).stat().st_mtime - time.time()
    if abs(skew_s) > SKEW_S:
        mend = "set the clock of this machine or of the server with its disk, and keep it by NTP"
        return warn("clock", f"new files are {skew_s:+.0f} s off", mend)
    return ok("clock", f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}")


def port(settings: Settings) -> Finding:
    """Whether a server could listen where the settings say, or one of ours does."""
    where = f"{settings.host}:{settings.port}"
    usual = Client(reach.usual_address(settings), settings.api_prefix)
    if settings.port and reach.is_ours(usual):
        return ok("port", f"{usual.shown} answers: a server runs")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as cause:
            if cause.errno == errno.EADDRINUSE:
                mend = "stop that program, or choose another PORT"
                return fail("port", f"{where} is taken by another program", mend)
            said = f"{where} cannot be listened on ({cause.strerror})"
            return fail("port", said, "check HOST and PORT")
    return ok("port", f"{where} is free")
