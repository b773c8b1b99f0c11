"""Commands as people run them: in a pseudo-terminal, or with pipes.

async with Terminal("chat", …) as terminal ── type(…) ─▶ pty ─▶ the command
     await terminal.shows("…") ◀── what stands on it, without colours ◀──┘
await command("ask", …, stdin=b"…") ─▶ Said(code, out, err)
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.durability.processes import ROOT, environment

T = TypeVar("T")

PATIENCE_S = 30.0
ROWS = 24
ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>]|[\x01\x02]"
)


def surroundings(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command: no settings but a folder of its own, no proxy."""
    kept = environment(folder, "")
    for name in [*kept]:
        if name.lower().endswith("_proxy") or name in ("NO_COLOR", "LITE_LLM_CHAT_URL"):
            del kept[name]
    return kept | {"XDG_STATE_HOME": f"{folder}/state", "TERM": "xterm-256color"} | {**(env or {})}


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


async def command(
    folder: Path,
    *words: str | Path,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> Said:
    """Run a command in a folder, to its end. Without `stdin` there is none to read."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), *map(str, words)),
        cwd=folder,
        env=surroundings(folder, env),
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate(stdin)
    return Said(process.returncode or 0, out.decode(), err.decode())


class Terminal:
    """A command in a terminal of 80 columns."""

    def __init__(
        self, folder: Path, *words: str | Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._command = (sys.executable, str(ROOT / "main.py"), *map(str, words))
        self._folder = folder
        self._env = surroundings(folder, env)
        self._raw = b""
        self._seen = 0  # how much of what stands there was waited for already
        self._news = asyncio.Event()
        self._master = -1
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", ROWS, 80, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._folder,
            env=self._env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=lambda: _own(0),
            start_new_session=True,
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the command has ended
            asyncio.get_running_loop().remove_reader(self._master)
            data = b""
        self._raw += data
        self._news.set()

    @property
    def raw(self) -> bytes:
        """Every byte that was written to it."""
        return self._raw

    @property
    def text(self) -> str:
        """What was written to it, without colours and without movements."""
        return ESCAPES.sub("", self._raw.decode(errors="replace")).replace("\r", "")

    @property
    def screen(self) -> str:
        """What a person sees on it, all that scrolled away included."""
        return drawn(self._raw.decode(errors="replace"))

    async def shows(self, words: str, patience_s: float = PATIENCE_S) -> str:
        """Wait until these words are written, after those that were waited for last; all text up
        to their end. Raises AssertionError if they do not come."""
        try:
            async with asyncio.timeout(patience_s):
                while (at := self.text.find(words, self._seen)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} is not in\n{self.text[self._seen :]}") from None
        before, self._seen = self._seen, at + len(words)
        return self.text[before : self._seen]

    def type(self, text: str) -> None:
        """Type a line."""
        self.press(f"{text}\r")

    def press(self, keys: str) -> None:
        """Press keys: "\\x03" is Ctrl-C, "\\x04" is Ctrl-D."""
        os.write(self._master, keys.encode())

    async def interrupt(self, then: Callable[[float], Awaitable[T]]) -> T:
        """Press Ctrl-C and wait for what follows, some seconds at most. Once may not be enough:
        one that comes just before Python's `input` waits for a key is seen at the next key."""
        self.press("\x03")
        try:
            return await then(PATIENCE_S / 2)
        except (AssertionError, TimeoutError):
            self.press("\x03")
            return await then(PATIENCE_S)

    async def ended(self, patience_s: float = PATIENCE_S) -> int:
        """The exit code."""
        assert self._process is not None
        async with asyncio.timeout(patience_s):
            return await self._process.wait()


def _own(terminal: int) -> None:
    """Make a terminal this process's own, so that Ctrl-C reaches it. Whoever runs the tests in the
    background may have had it ignored."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


_STEP = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\\\)|(.)", re.DOTALL)


def drawn(written: str) -> str:
    """What a terminal of endless height shows once this was written to it: the movements of the
    cursor that are used here, and nothing more."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for step in _STEP.finditer(written):
        number, move, char = step.groups()
        if move == "A":
            row = max(0, row - int(number or 1))
        elif move == "K":
            lines[row] = [] if number == "2" else lines[row][:column]
        elif char == "\n":
            row += 1
            if row == len(lines):
                lines.append([])
        elif char == "\r":
            column = 0
        elif char == "\b":
            column = max(0, column - 1)
        elif char is not None and char >= " ":
            line = lines[row]
            line.extend(" " * (column + 1 - len(line)))
            line[column] = char
            column += 1
    return "\n".join("".join(line).rstrip() for line in lines)
