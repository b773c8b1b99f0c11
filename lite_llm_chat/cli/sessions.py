"""`sessions`: list, show, rename, pin, archive, delete, restore.

list ─▶ GET /sessions, page after page ─▶ a table · JSON
show ─▶ GET /sessions/N ─▶ what was said
rename · pin · archive · delete · restore ─▶ a request for each session
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rich.text import Text

from . import reach
from .client import Client
from .page import console, is_plain, page
from .tables import print_table
from .text import harmless, line, moment, say
from .trouble import Exit, Trouble

PAGE = 1000
CHANGES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "pin": {"pinned": True},
        "unpin": {"pinned": False},
        "archive": {"archived": True},
        "unarchive": {"archived": False},
    }
)
ACTIONS = ("list", "show", "rename", *CHANGES, "delete", "restore")

EPILOG = """\
what can be done:
  list                  the sessions, newest first (what is done if nothing is said)
  show N                what was said in one
  rename N TITLE        call one something
  pin, unpin N …        keep at hand
  archive, unarchive N … out of the way, and back
  delete N …            into the trash; with --permanent for good
  restore N …           out of the trash

examples:
  lite-llm-chat sessions
  lite-llm-chat sessions list --tag work --json | jq -r '.[].title'
  lite-llm-chat sessions rename 3 "Tides and harbours"
  lite-llm-chat sessions delete 3 4"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What is done with which sessions."""
    parser.description, parser.epilog = "List sessions, or do something with some.", EPILOG
    parser.add_argument("action", nargs="?", default="list", choices=ACTIONS, help="see below")
    parser.add_argument("words", nargs="*", metavar="N", help="numbers of sessions")
    which = parser.add_argument_group("of list")
    place = which.add_mutually_exclusive_group()
    place.add_argument("--archived", action="store_true", help="those in the archive")
    place.add_argument("--trash", action="store_true", help="those in the trash")
    which.add_argument("--tag", action="append", default=[], help="those with this tag")
    which.add_argument("--folder", metavar="ID", help="those in a folder, or in: none")
    which.add_argument("--limit", type=int, default=50, metavar="N", help="how many (50)")
    parser.add_argument("--permanent", action="store_true", help="of delete: for good")
    reach.arguments(parser)


def run(wanted: argparse.Namespace) -> int:
    """Do it. Raises Trouble."""
    act = _read(wanted.action, wanted.words)
    with reach.server(wanted.url) as client:
        found = act(client, wanted)
    if wanted.json:
        print(json.dumps(found, ensure_ascii=False))
    return Exit.WHOLE


def _read(action: str, words: list[str]) -> Callable[[Client, argparse.Namespace], object]:
    """What is to be done, with words that fit. Raises Trouble."""
    match action:
        case "list" if words:
            raise Trouble("list takes no session: sessions show N shows one", Exit.USAGE)
        case "list":
            return _list
        case "rename" if len(words) < 2:
            raise Trouble("say a session and its new title: sessions rename 3 TITLE", Exit.USAGE)
        case "rename":
            [number], change = _numbers(words[:1]), {"title": " ".join(words[1:])}
            return lambda client, _wanted: [_patched(client, number, change)]
        case _:
            numbers = _numbers(words)
            return lambda client, wanted: _each(client, wanted, numbers)


def _numbers(words: list[str]) -> list[int]:
    if not words or not all(word.isdigit() for word in words):
        raise Trouble(
            "name sessions by their numbers: lite-llm-chat sessions lists them", Exit.USAGE
        )
    return [int(word) for word in words]


def _list(client: Client, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    query = {
        "archived": "true" if wanted.archived else None,
        "trashed": "true" if wanted.trash else None,
        "folder_id": wanted.folder,
        "tag": wanted.tag,
    }
    found: list[dict[str, Any]] = []
    while len(found) < wanted.limit:
        few = min(PAGE, wanted.limit - len(found))
        new = client.call("GET", "/sessions", skip=len(found), limit=few, **query)
        found += new
        if len(new) < few:
            break
    if not wanted.json:
        _print_list(found)
    return found


def _print_list(found: list[dict[str, Any]]) -> None:
    if not found:
        say("there is no such session")
    rows = [
        (one["id"], _marked(one), one["message_count"], one["model"], moment(one["updated_at"]))
        for one in found
    ]
    print_table(console(), ["session", "title", "messages", "model", "last"], rows)


def _marked(session: dict[str, Any]) -> str:
    """The title, with what a list should show of a session."""
    marks = ("★ " if session.get("pinned") else "") + ("● " if session.get("unread") else "")
    tags = "".join(f" #{tag}" for tag in session.get("tags", ()))
    return f"{marks}{session['title']}{tags}"


def _each(client: Client, wanted: argparse.Namespace, numbers: list[int]) -> list[object]:
    """One request for each session, in their order; the first that is refused ends it."""
    done: list[object] = []
    for number in numbers:
        match wanted.action:
            case "show":
                session = client.call("GET", f"/sessions/{number}")
                if not wanted.json:
                    _print_session(session)
                done.append(session)
            case "delete":
                permanent = True if wanted.permanent else None
                client.call("DELETE", f"/sessions/{number}", permanent=permanent)
                done.append(number)
                undo = "" if permanent else f"; lite-llm-chat sessions restore {number} undoes it"
                say(f"session {number} is deleted{undo}")
            case "restore":
                restored = client.call("POST", f"/sessions/{number}/restore")
                done.append(restored)
                say(f"session {number} is back: {line(restored['title'])}")
            case action:
                done.append(_patched(client, number, CHANGES[action]))
    return done


def _patched(client: Client, number: int, change: Mapping[str, object]) -> dict[str, Any]:
    session: dict[str, Any] = client.call("PATCH", f"/sessions/{number}", change)
    state = {"pinned": session.get("pinned"), "archived": bool(session.get("archived_at"))}
    told = [name for name, is_so in state.items() if is_so and name in change]
    say(f"session {number}: {line(session['title'])}{' (' + told[0] + ')' if told else ''}")
    return session


def _print_session(session: dict[str, Any]) -> None:
    out = console()
    if is_plain(out):
        print(f"# {line(session['title'])}")
    else:
        out.print(Text(line(session["title"]), "bold"))
    for message in session["messages"]:
        print()
        if message["role"] == "assistant":
            with page(out, thoughts=False) as shown:
                shown.text(message["content"])
        elif is_plain(out):
            print(f"> {harmless(message['content'])}")
        else:
            out.print(Text(f"› {harmless(message['content'])}", "bold"))
