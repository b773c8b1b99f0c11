"""Where the database is, and that it is ours alone.

A file on a local disk, held by one process: a second server on the same file would publish
without knowing of the other's writes, and SQLite's write-ahead log needs memory that machines
cannot share. Both are refused at start, with the reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import StartupError

NETWORK_FILESYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "glusterfs")
) | {"fuse.sshfs", "fuse.glusterfs"}


@dataclass(frozen=True, slots=True)
class Location:
    """A SQLite file, by its SQLAlchemy URL; or a database in memory, which is no file."""

    path: Path
    allow_network: bool = False
    in_memory: bool = False

    @classmethod
    def memory(cls) -> Location:
        """No file at all: what is kept there is gone with the connection."""
        return cls(Path("memory"), in_memory=True)

    @classmethod
    def from_url(cls, url: str, *, allow_network: bool = False) -> Location:
        """Raises StartupError for anything but `sqlite:///<file>`. A percent sign in the name is
        written as %25, as in every URL."""
        try:
            parts = make_url(url)
        except ArgumentError:
            parts = None
        if (
            parts is None
            or parts.drivername != "sqlite"
            or parts.database in (None, "", ":memory:")
            or parts.query
        ):
            raise StartupError(
                "DATABASE_URL must name a SQLite file, such as sqlite:///./chat_history.db"
                " (with nothing behind the file's name)"
            )
        return cls(Path(str(parts.database)).expanduser().absolute(), allow_network)

    @property
    def url(self) -> URL:
        return URL.create("sqlite", database=None if self.in_memory else str(self.path))

    def check(self) -> None:
        """Make the file if it is new (readable by its owner only) and refuse a folder that cannot
        be written to or that is on the network. Raises StartupError."""
        if self.in_memory:
            return
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as cause:
            raise StartupError(
                f"the database file {self.path.name} cannot be opened for writing"
                f" ({cause.strerror}): check DATABASE_URL and the rights of its folder"
            ) from cause
        kind = filesystem_of(folder)
        if kind in NETWORK_FILESYSTEMS and not self.allow_network:
            raise StartupError(
                f"the database file {self.path.name} is on a network filesystem ({kind}), where"
                " SQLite can corrupt: move it to a local disk, or set"
                " ALLOW_NETWORK_FILESYSTEM=true if you must"
            )


def filesystem_of(folder: Path, mounts: str | None = None) -> str:
    """The type of the filesystem that holds a folder, or "" where the system does not tell.
    `mounts` is a text in the form of `/proc/mounts`, by default the system's."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


class Lock:
    """This process's claim on the file: an advisory lock on a small file beside it. The kernel
    drops it when the process ends, however it ends."""

    def __init__(self, location: Location) -> None:
        self._path = location.path.with_name(location.path.name + ".lock")
        self._name = location.path.name
        self._needed = not location.in_memory
        self._handle: int | None = None

    def take(self) -> None:
        """Raises StartupError if another process holds it."""
        if not self._needed:
            return
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise StartupError(
                f"the file {self._path.name} beside the database cannot be opened for writing"
                f" ({cause.strerror}): check the rights of its folder"
            ) from cause
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            os.close(handle)
            raise StartupError(
                f"another server uses the database file {self._name}: stop it first, or give this"
                " one a file of its own with DATABASE_URL (with SQLite, run one worker only)"
            ) from cause
        self._handle = handle

    def release(self) -> None:
        """Let go; harmless when it was not held."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None
