"""`import`: the export of another chat program, or of this one, becomes sessions.

FILE ─▶ POST /imports (bit by bit) ─▶ GET /imports/{id} until it has ended ─▶ a table · JSON
                                         Ctrl-C: cancel; what is in stays
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import reach
from .client import Client
from .files import chunks, size_of
from .page import console
from .tables import print_table
from .text import line, say, size
from .trouble import Exit, Trouble

LOOK_S = 0.2
FORMATS = (
    *("auto", "chatgpt", "claude", "open-webui", "librechat", "anythingllm", "llm"),
    "lite-llm-chat",
)
OUTCOMES = ("imported", "updated", "already_here", "skipped", "broken")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and as what it is read."""
    parser.description = (
        "Take in conversations that another chat program, or this one, has exported.\n"
        "A file may be imported again: what is here already stays as it is."
    )
    parser.epilog = (
        "examples:\n"
        "  lite-llm-chat import conversations.zip --dry-run\n"
        "  lite-llm-chat import everything.zip --json | jq .conversations"
    )
    parser.add_argument("file", type=Path, help="the file, as it was exported")
    known = ", ".join(FORMATS[1:])
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        metavar="NAME",
        help=f"of what it is: {known}; else what it looks like",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    reach.arguments(parser)


def run(wanted: argparse.Namespace) -> int:
    """Import it and say what became of it. Raises Trouble."""
    total = size_of(wanted.file)
    with reach.server(wanted.url) as client, _progress(wanted.json) as tell:
        begun = _send(client, wanted, total, tell)
        report = _followed(client, begun, tell)
    if wanted.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print(report)
    match report["status"]:
        case "completed":
            return Exit.WHOLE
        case "cancelled":
            return Exit.STOPPED
        case _:
            raise Trouble(report["error"] or f"the import is {report['status']}: start it again")


class _Teller:
    """A line on how far it is, written over again."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._width = 0

    def __call__(self, words: str) -> None:
        if not self._quiet:
            sys.stderr.write(f"\r{words:<{self._width}}")
            sys.stderr.flush()
            self._width = len(words)

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            sys.stderr.flush()


@contextmanager
def _progress(quiet: bool) -> Iterator[_Teller]:
    tell = _Teller(quiet=quiet)
    try:
        yield tell
    finally:
        tell.clear()


def _send(client: Client, wanted: argparse.Namespace, total: int, tell: _Teller) -> dict[str, Any]:
    """Send the file; how its import begins."""
    path = client.route(
        "/imports", name=wanted.file.name, format=wanted.format, dry_run=wanted.dry_run
    )
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(total)}
    body = chunks(wanted.file, lambda sent: tell(f"sent {size(sent)} of {size(total)}"))
    with client.open("POST", path, body, headers) as response:
        begun: dict[str, Any] = client.parsed(response)
        return begun


def _followed(client: Client, report: dict[str, Any], tell: _Teller) -> dict[str, Any]:
    """Look until it has ended; Ctrl-C cancels it."""
    here = f"/imports/{report['id']}"
    try:
        while report["status"] == "running":
            done = sum(report["conversations"].values())
            share = report["bytes_read"] / max(1, report["bytes"])
            tell(f"{share:.0%} read, {done} conversations")
            time.sleep(LOOK_S)
            report = client.call("GET", here)
    except KeyboardInterrupt:
        tell.clear()
        say("stopping; what is in stays")
        client.call("POST", f"{here}/cancel")
        report = client.call("GET", here)
    return report


def _print(report: dict[str, Any]) -> None:
    """What became of the conversations, and of which something has to be known."""
    counts = report["conversations"]
    rows = [(name.replace("_", " "), counts[name]) for name in OUTCOMES if counts.get(name)]
    rows += [(name, report[name]) for name in ("messages", "files") if report[name]]
    out = console()
    would = "would be done" if report["dry_run"] else report["status"]
    print_table(out, [f"{report['format'] or 'unknown'}", would], rows)
    odd = [one for one in report.get("entries", ()) if one["why"] or one["notes"]]
    if odd:
        print()
        told = [
            (one["title"], one["outcome"], "; ".join([*filter(None, [one["why"]]), *one["notes"]]))
            for one in odd
        ]
        print_table(out, ["conversation", "outcome", "why"], told)
    if report["error"]:
        say(line(report["error"]))
