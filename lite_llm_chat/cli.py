"""The command `lite-llm-chat`: `serve` listens and says what answers.

serve ───▶ bind the port (taken? say so) ─▶ start the application ─▶ print the address ─▶ serve
backup ──▶ a checked copy of the database, also while it is served, with its files if wished
restore ─▶ a backup in the place of the database, the old file kept, missing files put back
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import ipaddress
import logging
import math
import resource
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from .app import Answering, create_app, who_answers
from .config import Settings, load_settings
from .errors import StartupError
from .store.backup import BackupError, back_up
from .store.backup_files import FILES
from .store.backup_folder import Backup, listed
from .store.backup_whole import Sources, back_up_whole, restore_whole
from .store.location import Location
from .web import Connection

OPEN_FILES = 65_536
# An idle connection is kept longer than clients and proxies keep theirs (aiohttp 15 s, nginx 60 s):
# who is first to close must not be the one who did not ask, or a question meets a closed door.
KEEP_ALIVE_S = 75

log = logging.getLogger("lite_llm_chat")


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit code is 0 if it did what it should."""
    wanted = _parser().parse_args(argv)
    try:
        settings = load_settings()
        match wanted.command:
            case "backup":
                return _back_up(settings, wanted)
            case "restore":
                return _restore(settings, wanted)
            case _:
                return serve(settings)
    except BackupError as error:
        print(f"cannot {wanted.command}: {error.detail}", file=sys.stderr)
    except StartupError as error:
        print(f"cannot start: {error.detail}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lite-llm-chat",
        description="A chat backend that never loses a word.",
        epilog="example: PORT=9000 lite-llm-chat serve",
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="start the server (the default)")
    _backup_arguments(
        commands.add_parser("backup", help="copy the database, also while the server runs")
    )
    _restore_arguments(
        commands.add_parser(
            "restore", help="put a backup in the place of the database; stop the server first"
        )
    )
    return parser


# ── backup ────────────────────────────────────────────────────────────────────────────────────


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
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


def _back_up(settings: Settings, wanted: argparse.Namespace) -> int:
    """Copy the database to a file. Raises BackupError, StartupError."""

    def tell(size: int) -> None:
        print(f"{size / 1e6:.0f} MB …", file=sys.stderr, flush=True)

    target: Path = wanted.file
    source = Location.from_url(settings.database_url).path
    if not wanted.with_files:
        size = back_up(source, target, replace=wanted.replace, tell=tell)
        print(f"{target} has the database, checked: {size / 1e6:.1f} MB")
        return 0
    sources = Sources(source, Path(settings.upload_dir))
    kept = back_up_whole(sources, target, replace=wanted.replace, tell=tell)
    print(f"{target} has the database, checked: {kept.size_bytes / 1e6:.1f} MB")
    print(f"{target.parent / FILES} has the uploaded files: {kept.files - kept.missing}")
    if kept.missing:
        print(
            f"uploaded files that are gone from {sources.uploads}: {kept.missing}", file=sys.stderr
        )
    return 0


# ── restore ───────────────────────────────────────────────────────────────────────────────────


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    """Which backup."""
    parser.description = (
        "Put a backup in the place of the database of DATABASE_URL, and the uploaded files that it"
        " has into UPLOAD_DIR. The old database is kept beside it under a dated name. Stop the"
        " server first."
    )
    parser.epilog = "example: lite-llm-chat restore /var/backups/chat.db"
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "file", type=Path, nargs="?", help="the backup, its tar, or its name in BACKUP_DIR"
    )
    which.add_argument("--list", action="store_true", help="show what is in BACKUP_DIR")


def _restore(settings: Settings, wanted: argparse.Namespace) -> int:
    """Put a backup in the database's place. Raises BackupError, StartupError."""
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
    return 0


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
    return 0


# ── serve ─────────────────────────────────────────────────────────────────────────────────────


def serve(settings: Settings) -> int:
    """Listen on HOST and PORT until a signal ends it. Raises StartupError."""
    _allow_many_files()
    app = create_app(settings)
    listener = _bind(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + 1,
    )
    server = _Server(config, lambda: _greeting(settings, listener, who_answers(app)))
    try:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the reason was said before
            server.run(sockets=[listener])
    finally:
        listener.close()
    return 0 if server.started else 1


def _allow_many_files() -> None:
    """As many open files as the system lets us, up to OPEN_FILES: an answer takes two, and the
    usual 1,024 would be used up by 500 of them."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems do not grant what they name
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class _Server(uvicorn.Server):
    """The web server; greets once it listens."""

    def __init__(self, config: uvicorn.Config, greeting: Callable[[], str]) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print(self._greeting(), flush=True)


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: clients wait until the start-up is over."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is, and
    # with it on every answer waits for the client's delayed acknowledgement: 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as cause:
        listener.close()
        if cause.errno == errno.EADDRINUSE:
            raise StartupError(
                f"port {port} is taken by another program: stop that one, or choose another port,"
                f" such as PORT={port + 1 if port < 65_535 else 8000}"
            ) from cause
        raise StartupError(
            f"HOST={host} PORT={port} cannot be listened on ({cause.strerror}): check both"
        ) from cause
    return listener


def _greeting(settings: Settings, listener: socket.socket, who: Answering) -> str:
    port = listener.getsockname()[1]
    shown = "localhost" if _is_loopback(settings.host) else settings.host
    base = f"http://{shown}:{port}"
    lines = [
        "",
        f"  {settings.app_name} {settings.app_version}",
        "",
        f"  address    {base}",
        f"  API docs   {base}/docs",
        f"  answers    {who.usual}",
    ]
    if who.trouble:
        lines.append(f"  caution    it cannot answer yet: {who.trouble}")
    if who.others:
        lines.append(f"  on demand  {', '.join(who.others)} (DEFAULT_PROVIDER makes one the usual)")
    if not settings.deepseek_api_key and settings.default_provider in (None, "local"):
        lines.append("  DeepSeek   set DEEPSEEK_API_KEY in .env and restart")
    if not _is_loopback(settings.host):
        lines.append("  caution    whoever can reach this address can read and write all chats")
    lines += [
        "",
        f"  try it     curl -N {base}{settings.api_prefix}/chat \\",
        """               -H 'Content-Type: application/json' \\""",
        """               -d '{"messages": [{"role": "user", "content": "Hello!"}]}'""",
        "",
    ]
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
