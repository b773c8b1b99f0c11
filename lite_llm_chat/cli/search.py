"""`search`: find words in everything that was said.

words ─▶ GET /search, page after page ─▶ session, snippet with the words marked · JSON
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from . import reach
from .client import Client
from .page import console
from .text import harmless, line, moment, say
from .trouble import Exit

PAGE = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """What is looked for, and where."""
    parser.description = (
        'Find sessions by what was said in them: all words have to be there, "a phrase" in its\n'
        "order, and no -word. The exit code is 1 if nothing is found."
    )
    parser.epilog = (
        "examples:\n"
        "  lite-llm-chat search lighthouse tides\n"
        "  lite-llm-chat search --after 2026-11-01 --json '\"garden shed\" -paint' | jq .results"
    )
    parser.add_argument("words", nargs="+", help="words; --  before a first one such as -without")
    parser.add_argument("--in", dest="within", choices=("all", "messages", "titles"), help="where")
    parser.add_argument("--session", type=int, metavar="N", help="in this session only")
    parser.add_argument("--tag", action="append", default=[], help="in sessions with this tag")
    parser.add_argument("--role", choices=("user", "assistant", "system"), help="who said it")
    parser.add_argument("--model", metavar="NAME", help="what this model answered")
    parser.add_argument("--after", metavar="DAY", help="on this day or later")
    parser.add_argument("--before", metavar="DAY", help="before this day")
    parser.add_argument("--archived", action="store_true", help="the archive too")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")
    reach.arguments(parser)


def run(wanted: argparse.Namespace) -> int:
    """Find and print. Raises Trouble."""
    query = {
        "q": " ".join(wanted.words),
        "in_": wanted.within,
        "session_id": wanted.session,
        "archived": "any" if wanted.archived else None,
        **{name: getattr(wanted, name) for name in ("tag", "role", "model", "after", "before")},
    }
    with reach.server(wanted.url) as client:
        found = find(client, query, wanted.limit)
    if wanted.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print_found(console(), found["results"])
        if found["indexed"] < 1:
            say(f"{found['indexed']:.0%} is looked through so far: the index is being made")
    return Exit.WHOLE if found["results"] else Exit.TROUBLE


def find(client: Client, query: dict[str, Any], limit: int) -> dict[str, Any]:
    """The best results, up to a limit, of as many pages as that takes."""
    results: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        few = min(PAGE, limit - len(results))
        page = client.call("GET", "/search", **query, limit=few, cursor=cursor)
        results += page["results"]
        cursor = page["next_cursor"]
        if cursor is None or len(results) >= limit:
            return {"results": results, "next_cursor": cursor, "indexed": page["indexed"]}


def print_found(out: Console, results: list[dict[str, Any]]) -> None:
    """A paragraph for each session, for a person; tab-separated lines for a pipe."""
    if not results:
        print("nothing is found", file=sys.stderr)
    for one in results:
        session, when = one["session"], moment(one["created_at"])
        if not out.is_terminal:
            print("\t".join([str(session["id"]), when, line(session["title"]), line(one["text"])]))
            continue
        head = Text(f"{session['id']:>5}  ", "cyan")
        head.append(line(session["title"]), "bold").append(f"  {when}", "dim")
        if more := one["more_in_session"]:
            head.append(f"  +{more} more", "dim")
        out.print(head)
        if one["message_id"] is not None:
            out.print(_marked(one["text"], one["ranges"]), new_line_start=True)


def _marked(text: str, ranges: list[list[int]]) -> Text:
    """A snippet with what is sought in it standing out."""
    told, end = Text("       "), 0
    for start, stop in ranges:
        told.append(harmless(text[end:start]), "dim").append(harmless(text[start:stop]), "bold")
        end = stop
    return told.append(harmless(text[end:]), "dim")
