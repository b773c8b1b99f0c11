"""The commands: their names, one line about each, and where their code is.

    name ─▶ COMMANDS ─▶ load ─▶ a module with `arguments` and `run`

A command's module is imported when that command is wanted and not before: a server does not wait
for a library that draws, and a question does not wait for the server's parts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple, NoReturn, Protocol, cast

from .trouble import Exit

PROGRAM = "lite-llm-chat"


class Entry(NamedTuple):
    """A command of the table: the module in this package, and its line of the list."""

    module: str
    about: str


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "serve": Entry("serve", "start the server (the default)"),
        "chat": Entry("chat", "talk with a model in this terminal"),
        "ask": Entry("ask", "one question, one answer; reads a pipe"),
        "search": Entry("search", "find words in everything that was said"),
        "sessions": Entry("sessions", "list, show, rename, pin, archive, delete, restore"),
        "export": Entry("export", "write a session, or everything, to a file"),
        "import": Entry("imports", "take in the export of another chat program"),
        "usage": Entry("usage", "tokens and money"),
        "doctor": Entry("doctor", "look for what is wrong here and say the mend"),
        "backup": Entry("backup", "copy the database, also while the server runs"),
        "restore": Entry("restore", "put a backup in the place of the database"),
        "completion": Entry("completion", "print a script that completes commands with Tab"),
    }
)


class Command(Protocol):
    """What a command's module has."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the command and its arguments, with an example."""

    def run(self, wanted: argparse.Namespace) -> int:
        """Do it; the exit code. Raises Trouble."""


def load(name: str) -> Command:
    """The module of a command. The one place that imports by name."""
    return cast(Command, import_module(f".{COMMANDS[name].module}", __package__))


def application() -> Callable[[], object]:
    """What makes the application, for a web server that imports `main`."""
    return cast(Callable[[], object], import_module("..app", __package__).application)


def version() -> str:
    """The version of this program."""
    settings = import_module("..config", __package__).Settings
    return str(settings.model_fields["app_version"].default)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence with the way to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, f"{self.prog}: {message}; {self.prog} --help says more\n")


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """The parser of one command."""
    parser = Parser(prog=f"{PROGRAM} {name}", formatter_class=argparse.RawDescriptionHelpFormatter)
    command.arguments(parser)
    return parser
