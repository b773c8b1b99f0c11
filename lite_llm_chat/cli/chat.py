"""`chat`: a talk with a model in a terminal.

    lines ─▶ "/name rest" ─▶ slash.COMMANDS ─▶ a line, a table, another session
        └──▶ anything else ─▶ Talk.say ─▶ the answer as it comes

What goes wrong is one line, and the talk goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from . import reach
from .lines import Lines
from .page import console, is_plain, page
from .slash import Leave, completions, perform
from .talk import Talk
from .text import line
from .trouble import Exit, Trouble

PROMPT = "› "

EPILOG = '''\
In it, /help lists the commands. Ctrl-C stops an answer, and what it said is kept; at the prompt,
Ctrl-D or Ctrl-C twice leaves. A text of many lines is pasted, or put between lines of """.

examples:
  lite-llm-chat chat
  lite-llm-chat chat --continue-last
  lite-llm-chat chat --model deepseek/deepseek-reasoner --url https://me:secret@chat.example'''


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where the talk begins."""
    parser.description = "Talk with a model in this terminal."
    parser.epilog = EPILOG
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--session", type=int, metavar="N", help="go on in this session")
    where.add_argument(
        "-c", "--continue-last", action="store_true", help="go on in the newest session"
    )
    where.add_argument("--new", action="store_true", help="begin a new session (the default)")
    parser.add_argument("--model", metavar="NAME", help="provider/model, or a model's name")
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before")
    reach.arguments(parser, as_json=False)


def run(wanted: argparse.Namespace) -> int:
    """Talk until the person leaves. Raises Trouble if it cannot begin."""
    with reach.server(wanted.url) as client:
        lines = Lines(reach.state_folder() / "history", completions(client))
        talk = Talk(client, console(), lines.confirmed, system=wanted.system)
        _greet(talk)
        _begin(talk, wanted)
        _converse(talk, lines)
    return Exit.WHOLE


def _greet(talk: Talk) -> None:
    health = talk.client.call("GET", "/health")
    usual = next((one for one in talk.client.call("GET", "/providers") if one["default"]), None)
    if is_plain(talk.out):
        talk.out.print(f"{health['app']} {health['version']} at {talk.client.shown}", markup=False)
    else:
        name = f"[bold]{line(health['app'])}[/bold] [dim]{line(health['version'])}"
        talk.out.print(f"\n{name} · {talk.client.shown} · /help[/dim]")
    if usual and not usual["ready"]:
        _tell(talk, f"{usual['name']} cannot answer yet: {usual['note']}", "yellow")


def _begin(talk: Talk, wanted: argparse.Namespace) -> None:
    session = wanted.session if wanted.session is not None else _newest(talk, wanted)
    if session is not None:
        opened = talk.open(session)
        count = opened["message_count"]
        _tell(talk, f"session {session}: {opened['title']} ({count} messages)")
    if wanted.model:
        talk.use_model(wanted.model)


def _newest(talk: Talk, wanted: argparse.Namespace) -> int | None:
    if not wanted.continue_last:
        return None
    newest = talk.client.call("GET", "/sessions", limit=1)
    if not newest:
        _tell(talk, "there is no session yet: this is the first")
        return None
    return int(newest[0]["id"])


def _converse(talk: Talk, lines: Lines) -> None:
    """Read and answer until the person leaves."""
    leaving = False
    while True:
        try:
            talk.out.print()
            text = lines.read(PROMPT)
            leaving = False
            if text:
                _answer(talk, text)
        except KeyboardInterrupt:
            if leaving:
                talk.out.print()
                return
            leaving = True
            _tell(talk, "\nCtrl-C again, or Ctrl-D, leaves")
        except (EOFError, Leave):
            _tell(talk, "bye")
            return


def _answer(talk: Talk, text: str) -> None:
    """One turn; what goes wrong in it is said."""
    act: Callable[[], None] = (
        (lambda: perform(talk, text)) if text[0] == "/" else (lambda: talk.say(text))
    )
    try:
        act()
    except Trouble as trouble:
        _tell(talk, trouble.sentence, "red")


def _tell(talk: Talk, words: str, style: str = "dim") -> None:
    with page(talk.out, thoughts=False) as shown:
        shown.note(words, style)
