"""What a person can say to the talk itself: `/name rest`.

perform(talk, "/model deepseek-chat") ─▶ COMMANDS["model"] ─▶ the talk, the server, a line
                                    unknown: the nearest name
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rich.text import Text

from .client import Client
from .exporting import write_session
from .files import upload
from .search import find, print_found
from .tables import print_table
from .talk import Talk
from .text import line, moment
from .trouble import Trouble

SHOWN = 20


class Leave(Exception):
    """The person is done."""


class Slash(NamedTuple):
    """A command: what it takes, what it does, and how."""

    takes: str
    about: str
    act: Callable[[Talk, str], None]


def perform(talk: Talk, text: str) -> None:
    """Do what a line that begins with a slash says. Raises Trouble, Leave."""
    name, _, rest = text.removeprefix("/").partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean /{near[0]}?" if near else "/help lists what there is"
        raise Trouble(f"there is no /{name}: {hint}")
    command.act(talk, rest.strip())


def completions(client: Client) -> Callable[[str], Sequence[str]]:
    """What Tab may complete, by what stands on the line so far."""
    models: list[str] = []

    def names(typed: str) -> Sequence[str]:
        if not typed.startswith("/model "):
            return [f"/{name}" for name in COMMANDS] if " " not in typed else []
        if not models:
            try:
                found = client.call("GET", "/models")
            except Trouble:
                return []
            models.extend(f"{one['provider']}/{one['id']}" for one in found)
        return models

    return names


# ── the commands ──────────────────────────────────────────────────────────────────────────────


def _help(talk: Talk, _rest: str) -> None:
    rows = [(f"/{name} {one.takes}".strip(), one.about) for name, one in COMMANDS.items()]
    print_table(talk.out, ["command", ""], rows)


def _model(talk: Talk, name: str) -> None:
    if name:
        talk.use_model(name)
    chosen = talk.model
    if not chosen and talk.session_id is not None:
        chosen = {key: talk.session()[key] for key in ("provider", "model")}
    usual = "the server's own choice; /models lists what there is"
    _tell(talk, "/".join(chosen.values()) if chosen else usual)


def _models(talk: Talk, provider: str) -> None:
    ready = {one["id"] for one in talk.client.call("GET", "/providers") if one["ready"]}
    found = talk.client.call("GET", "/models", provider=provider or None)
    shown = [one for one in found if provider or one["provider"] in ready]
    if not shown:
        raise Trouble("nobody is ready to answer: `lite-llm-chat doctor` says what is missing")
    rows = [(f"{m['provider']}/{m['id']}", _window(m), _prices(m)) for m in shown]
    print_table(talk.out, ["model", "window", "$ in / out per million"], rows)


def _window(model: dict[str, int]) -> str:
    tokens = model["context_length"]
    return f"{tokens // 1000}k" if tokens >= 1000 else str(tokens or "")


def _prices(model: dict[str, dict[str, float] | None]) -> str:
    prices = model["prices"]
    return f"{prices['input']:g} / {prices['output']:g}" if prices else ""


def _new(talk: Talk, _rest: str) -> None:
    talk.leave()
    _tell(talk, "the next question begins a new session")


def _sessions(talk: Talk, _rest: str) -> None:
    found = talk.client.call("GET", "/sessions", limit=SHOWN)
    if not found:
        raise Trouble("there is no session yet")
    rows = [(one["id"], one["title"], moment(one["updated_at"])) for one in found]
    print_table(talk.out, ["session", "title", "last"], rows)


def _search(talk: Talk, words: str) -> None:
    if not words:
        raise Trouble("say what to look for, such as /search lighthouse")
    print_found(talk.out, find(talk.client, {"q": words}, SHOWN)["results"])


def _open(talk: Talk, rest: str) -> None:
    session = talk.open(_number(rest))
    for message in session["messages"][-2:]:
        if message["role"] == "user":
            talk.out.print(Text(f"› {line(message['content'])}", "bold"))
        else:
            talk.print_message(message)
    _tell(talk, f"session {session['id']}: {session['title']}")


def _number(rest: str) -> int:
    if not rest.isdigit():
        raise Trouble("name a session by its number, such as /open 3; /sessions lists them")
    return int(rest)


def _title(talk: Talk, title: str) -> None:
    if not title:
        _tell(talk, str(talk.session()["title"]))
        return
    talk.session()
    talk.client.call("PATCH", f"/sessions/{talk.session_id}", {"title": title})
    _tell(talk, f"this session is now called {title}")


def _stop(talk: Talk, _rest: str) -> None:
    _tell(talk, talk.stop())


def _resume(talk: Talk, _rest: str) -> None:
    talk.attach()


def _retry(talk: Talk, _rest: str) -> None:
    talk.again()


def _edit(talk: Talk, question: str) -> None:
    if not question:
        raise Trouble("say what to ask instead, such as /edit And in German?")
    talk.instead(question)


def _continue(talk: Talk, _rest: str) -> None:
    talk.go_on()


def _system(talk: Talk, text: str) -> None:
    if text:
        talk.system = None if text == "off" else text
    _tell(talk, talk.system or "the model is told nothing before")


def _reasoning(talk: Talk, word: str) -> None:
    if word not in ("", "on", "off"):
        raise Trouble("say /reasoning on, or /reasoning off")
    if word:
        talk.thoughts = word == "on"
    _tell(talk, f"what it thinks is {'shown' if talk.thoughts else 'not shown'}")


def _file(talk: Talk, rest: str) -> None:
    try:
        names = shlex.split(rest)
    except ValueError:
        names = [rest]
    if not names:
        raise Trouble("name a file, such as /file notes.pdf")
    talk.files += [upload(talk.client, Path(name).expanduser()) for name in names]
    _tell(talk, f"beside the next question: {len(talk.files)} file(s)")


def _export(talk: Talk, name: str) -> None:
    session = talk.session()
    target = Path(name or f"session-{session['id']}.md").expanduser()
    write_session(talk.client, session["id"], "markdown", target)
    _tell(talk, f"{target} has this session")


def _quit(_talk: Talk, _rest: str) -> None:
    raise Leave


def _tell(talk: Talk, words: str) -> None:
    talk.out.print(Text(line(words), "dim"))


COMMANDS: Mapping[str, Slash] = MappingProxyType(
    {
        "help": Slash("", "this list", _help),
        "model": Slash("[NAME]", "who answers from now on, or who does now", _model),
        "models": Slash("[PROVIDER]", "who could answer", _models),
        "new": Slash("", "begin a new session", _new),
        "sessions": Slash("", "the newest sessions", _sessions),
        "search": Slash("WORDS", "find them in everything that was said", _search),
        "open": Slash("N", "go to a session", _open),
        "title": Slash("[TEXT]", "call this session something, or show what it is called", _title),
        "resume": Slash("", "show the answer that is being made, or the last one", _resume),
        "stop": Slash("", "stop an answer that runs on", _stop),
        "retry": Slash("", "answer the last question again", _retry),
        "continue": Slash("", "go on where an answer was cut", _continue),
        "edit": Slash("TEXT", "ask something else instead of the last question", _edit),
        "file": Slash("PATH", "put a file beside the next question", _file),
        "system": Slash("[TEXT|off]", "what the model is told before", _system),
        "reasoning": Slash("on|off", "show what it thinks, or do not", _reasoning),
        "export": Slash("[FILE]", "write this session to a file, as Markdown", _export),
        "quit": Slash("", "leave", _quit),
    }
)
