"""Which MCP servers there are and what of them may be used: a TOML file in, values out.

    [servers.files]                       ┌─▶ Server(name, command … or url …, limits)
    command = "…"           ─▶ read ─▶ …  ┤
    [servers.files.tools]                 └─▶ rules: exact names and patterns ─▶ word_for(tool)
    "read_*" = "allow"

What is wrong in the file is said at the start, with the file, the line and the mend. What stands in
`env` and in `headers` is never quoted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, get_args

import msgspec

from ..errors import StartupError
from .base import Word

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?")
_STRICTEST: tuple[Word, ...] = ("deny", "ask", "allow")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=8 * 1024 * 1024)]


class Server(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One `[servers.NAME]`: how it is reached (a command or an address), what may be used of it,
    and the bounds of one call: seconds, and bytes of UTF-8 text."""

    command: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    url: str = ""
    headers: dict[str, str] = {}
    default: Word = "ask"
    tools: dict[str, Word] = {}
    timeout_s: Seconds = 60.0
    max_result_bytes: Bytes = 64 * 1024

    def __repr__(self) -> str:
        return f"Server({self.command or self.url})"  # keys stand in the rest

    def word_for(self, tool: str) -> Word:
        """The rule for a tool: its own name's, else the strictest of the patterns that match it,
        else the server's default."""
        if tool in self.tools:
            return self.tools[tool]
        found = {word for pattern, word in self.tools.items() if fnmatchcase(tool, pattern)}
        return next((word for word in _STRICTEST if word in found), self.default)


def read(path: Path, *, required: bool) -> Mapping[str, Server]:
    """The servers of a file by name; none if it is not there and not `required`. Raises
    StartupError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin a file with a mark
        found = tomllib.loads(text)
    except FileNotFoundError:
        if required:
            raise StartupError(f"{path.name} of TOOLS_FILE is not there: check it") from None
        return {}
    except OSError:
        raise _wrong(path, "it cannot be read: check its permissions") from None
    except ValueError as error:  # no TOML, no UTF-8, a number without end
        where = re.search(r"\(at [^()]*\)$", str(error))
        place = f" {where[0]}" if where else ""
        raise _wrong(path, f"it is no TOML{place}: mend it there") from None
    tables = found.pop("servers", {})
    if found or not isinstance(tables, dict):
        name = next(iter(found), "servers")
        line = _line(text, rf"\[*{re.escape(name)}\b")
        raise _wrong(path, f"{name}: it holds tables called [servers.NAME] and nothing else", line)
    return {name: _server(path, text, name, table) for name, table in tables.items()}


def _wrong(path: Path, what: str, line: int | None = None) -> StartupError:
    return StartupError(f"{path.name}{f', line {line}' if line else ''}: {what}")


def _server(path: Path, text: str, name: str, table: object) -> Server:
    if not _NAME.fullmatch(name) or "__" in name:
        raise _wrong(
            path,
            "the name of a server is not fit for one: use letters, digits, - and single _, at most"
            " 32, a letter or digit at both ends",
            _line(text, r"\[servers\."),
        )
    try:
        server = msgspec.convert(table, Server)
    except msgspec.ValidationError as error:
        what, field = _sentence(str(error))
        raise _wrong(path, f"server {name}: {what}", _line_of(text, name, field)) from None
    for wrong, field, sentence in _faults(server):
        if wrong:
            raise _wrong(path, f"server {name}: {sentence}", _line_of(text, name, field))
    return server


def _sentence(said: str) -> tuple[str, str]:
    """msgspec's complaint with its mend, and the field that it is about."""
    what, _, place = said.partition(" - at ")
    name = place.strip("`").removeprefix("$").lstrip(".")
    field = name.split(".")[0].split("[")[0]
    if unknown := re.search(r"unknown field `([^`]*)`", what):
        fields = ", ".join(Server.__struct_fields__)
        return f"there is no field {unknown[1]}: use {fields}", unknown[1]
    if field in ("tools", "default"):
        return f"{field}: a rule is one of {', '.join(get_args(Word))}: mend it", field
    return f"{field + ': ' if field else ''}{what[:1].lower()}{what[1:]}: mend it", field


def _faults(server: Server) -> tuple[tuple[bool, str, str], ...]:
    """What types cannot say: whether it is so, the field, the sentence."""
    address = re.fullmatch(r"https?://[^\s/][^\s]*", server.url)
    values = (*server.env.values(), *server.headers.values(), *server.args, server.command)
    return (
        (
            bool(server.command) == bool(server.url),
            "url",
            "give it a command to start or a url to call, one of them",
        ),
        (
            bool(server.url) and not address,
            "url",
            "url is no address: it begins with http:// or https://",
        ),
        (
            bool(server.url and (server.args or server.env)),
            "url",
            "args and env are for a command: remove them, or the url",
        ),
        (
            bool(server.command and server.headers),
            "headers",
            "headers are for a url: remove them, or the command",
        ),
        (
            any("\0" in value for value in values),
            "command",
            "a value holds a character that nobody can be handed: remove it",
        ),
        (
            not all(value.isascii() and value.isprintable() for value in server.headers.values()),
            "headers",
            "headers: a value holds a character that no header can carry: remove it",
        ),
    )


def _line_of(text: str, server: str, field: str) -> int | None:
    """The line of a field of a server, or of the server."""
    table = rf'\[servers\."?{re.escape(server)}"?'
    whole = _line(text, rf"{table}\.{re.escape(field)}\]") if field else None
    start = _line(text, rf"{table}[\].]")
    inside = _line(text, rf'"?{re.escape(field)}"?\s*=', start or 0) if field else None
    return whole or inside or start


def _line(text: str, pattern: str, after: int = 0) -> int | None:
    """The number of the first line after one that begins like that."""
    for number, line in enumerate(text.splitlines(), 1):
        if number > after and re.match(rf"\s*{pattern}", line):
            return number
    return None
