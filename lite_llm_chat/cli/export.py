"""`export`: a session as a document, or everything as one archive.

export N   ─▶ GET /sessions/N/export ─▶ standard output, or a file
export all ─▶ GET /export ────────────▶ a zip that `import` takes
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import reach
from .exporting import FORMATS, save, write_session
from .text import say, size
from .trouble import Exit, Trouble

SUFFIXES = {".md": "markdown", ".json": "json", ".html": "html", ".htm": "html"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """What is written where."""
    parser.description = "Write a session as a document, or everything as one zip."
    parser.epilog = (
        "examples:\n"
        "  lite-llm-chat export 3 > talk.md\n"
        "  lite-llm-chat export 3 --to talk.html\n"
        "  lite-llm-chat export all --to everything.zip"
    )
    parser.add_argument("what", help="the number of a session, or: all")
    parser.add_argument("--to", type=Path, metavar="FILE", help="else standard output")
    parser.add_argument("--format", choices=FORMATS, help="else by the file's name, or markdown")
    parser.add_argument("--replace", action="store_true", help="the file may exist")
    reach.arguments(parser, as_json=False)


def run(wanted: argparse.Namespace) -> int:
    """Write it. Raises Trouble."""
    target: Path | None = wanted.to
    if wanted.what != "all" and not wanted.what.isdigit():
        raise Trouble(f"{wanted.what!r} is no session: name its number, or say all", Exit.USAGE)
    if target is not None and target.exists() and not wanted.replace:
        raise Trouble(f"{target} exists: name another file, or say --replace")
    if target is None and wanted.what == "all" and sys.stdout.isatty():
        raise Trouble("a zip is nothing for a terminal: name a file with --to", Exit.USAGE)
    with reach.server(wanted.url) as client:
        if wanted.what == "all":
            written = save(client, client.route("/export"), target)
        else:
            form = wanted.format or SUFFIXES.get(target.suffix if target else "", "markdown")
            written = write_session(client, int(wanted.what), form, target)
    if target is not None:
        say(f"{target}: {size(written)}")
    return Exit.WHOLE
