"""Events that differ in nothing but their text, read all at once. Pure: no I/O.

    data: {"id":"7","choices":[{"delta":{"content":"The"},"finish_reason":null}]}
    └───────────────────── head ───────────────────┘   └───────── tail ──────────┘ and a blank line

    a read ─▶ head The tail head  cat tail head  sat tail ─▶ Template.texts ─▶ The ·  cat ·  sat
              anything else ─────────────────────────────▶ None: read it event by event

Most chunks of an answer are byte for byte the last one around a few letters. What is between two
of these texts is cut out in one step, and only the texts are decoded.
"""

from __future__ import annotations

import re

import msgspec

MAX_TEMPLATE_BYTES = 16 * 1024  # of a chunk: a larger one is not kept for the answer's life
VAIN_TEMPLATES = 8  # so many in a row that nothing was like: no two chunks of it are alike

# A JSON string that is not empty, under a name by which vendors give text.
_STRING = re.compile(
    rb'"(?:content|reasoning|reasoning_content)":[ ]*"(?!")([^"\\]*(?:\\.[^"\\]*)*)"'
)
_TEXT = re.compile(rb'"text":[ ]*"(?!")([^"\\]*(?:\\.[^"\\]*)*)"')  # Anthropic's name for it
_strings = msgspec.json.Decoder(str)


def around_text(row: bytes, *, plainly: bool = False) -> tuple[bytes, bytes] | None:
    """What stands before and after the first text in the JSON of a chunk: up to its opening
    quote, and from its closing one. None if there is no text, or only an empty one. `plainly`: it
    is called `text`."""
    found = (_TEXT if plainly else _STRING).search(row)
    return (row[: found.start(1)], row[found.end(1) :]) if found else None


class Template:
    """Events of one `data: ` line each, behind a line with a `name` or none: JSON that begins with
    `before` and ends with `after`, and between them the inside of a JSON string."""

    __slots__ = ("_head", "_tail")

    def __init__(self, before: bytes, after: bytes, name: bytes = b"") -> None:
        named = b"event: " + name + b"\n" if name else b""
        self._head = named + b"data: " + before
        self._tail = after + b"\n\n"

    def texts(self, data: bytes) -> list[str] | None:
        """The text of each event, if `data` is whole events of this kind and nothing else, and
        each text alone is sound JSON; otherwise None."""
        head, tail = self._head, self._tail
        if not (data.startswith(head) and data.endswith(tail)):
            return None
        if len(data) < len(head) + len(tail):
            return None
        raw = data[len(head) : -len(tail)].split(tail + head)
        try:  # no string may hold a line end, so one a line means: each is whole and alone
            texts = _strings.decode_lines(b'"' + b'"\n"'.join(raw) + b'"')
        except ValueError:
            return None
        return texts if len(texts) == len(raw) else None
