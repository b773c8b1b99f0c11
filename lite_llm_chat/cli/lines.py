"""What a person types: with history, names completed by Tab, and texts of many lines.

    a line ─▶ \"\"\" … \"\"\" and pasted lines are one text ─▶ a command or a question

The history is a file in the state folder, for its owner alone: one JSON string a line, because a
question may have many.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

editor: Any = None  # a Python without it reads lines, and that is all
with suppress(ImportError):
    import readline

    editor = readline

KEPT = 1000
FENCE = '"""'


class Lines:
    """The reader of a terminal, or of whatever stands in for one."""

    def __init__(self, history: Path, names: Callable[[str], Sequence[str]]) -> None:
        self._history = history
        self._names = names
        self._matches: list[str] = []
        self._person = sys.stdin.isatty() and sys.stdout.isatty()
        self._editing = self._person and editor is not None
        if self._editing:
            self._set_up()

    def read(self, prompt: str, colour: str = "1;36") -> str:
        """One text. Raises EOFError at the end, KeyboardInterrupt."""
        text = self._line(prompt, colour)
        if text.lstrip().startswith(FENCE):
            text = self._fenced(text.lstrip().removeprefix(FENCE))
        text = text.strip()
        if text:
            self._keep(text)
        return text

    def confirmed(self, prompt: str) -> bool:
        """A yes; anything else, and leaving, is a no."""
        try:
            return self._line(prompt, "1;33").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    def _line(self, prompt: str, colour: str) -> str:
        if self._editing:
            prompt = f"\x01\x1b[{colour}m\x02{prompt}\x01\x1b[0m\x02"
        return input(prompt if self._person else "")

    def _fenced(self, first: str) -> str:
        """The lines up to the one that ends with three quotes."""
        lines = [first]
        while not lines[-1].rstrip().endswith(FENCE):
            lines.append(self._line("… ", "2"))
        lines[-1] = lines[-1].rstrip().removesuffix(FENCE)
        return "\n".join(lines).strip("\n")

    # ── history and names ─────────────────────────────────────────────────────────────────────

    def _set_up(self) -> None:
        editor.set_auto_history(False)
        if "libedit" in (editor.__doc__ or ""):
            editor.parse_and_bind("bind ^I rl_complete")
        else:
            editor.parse_and_bind("set enable-bracketed-paste on")
            editor.parse_and_bind("tab: complete")
        editor.set_completer_delims(" \t\n")
        editor.set_completer(self._complete)
        entries = []
        with suppress(OSError):
            lines = self._history.read_text("utf-8").splitlines()
            for line in lines[-KEPT:]:
                with suppress(ValueError):
                    entries.append(str(json.loads(line)))
            if len(lines) > 2 * KEPT:
                self._history.write_text("".join(f"{json.dumps(one)}\n" for one in entries))
        for entry in entries:
            editor.add_history(entry)

    def _keep(self, text: str) -> None:
        if not self._editing:
            return
        editor.add_history(text)
        with suppress(OSError):  # a full disk must not end a talk
            handle = os.open(self._history, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            try:
                os.write(handle, f"{json.dumps(text)}\n".encode())
            finally:
                os.close(handle)

    def _complete(self, start: str, number: int) -> str | None:
        if number == 0:
            self._matches = [
                name for name in self._names(editor.get_line_buffer()) if name.startswith(start)
            ]
        return self._matches[number] if number < len(self._matches) else None
