"""File names that any system takes, made of titles that may be anything; and how HTTP says them.

"../a: b\\n" ─▶ safe_name ─▶ "a b" ─▶ disposition ─▶ attachment; filename="a b.md"; filename*=…
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

LONGEST = 80  # characters …
LONGEST_BYTES = 180  # … and bytes in UTF-8: 255 are the most on usual disks, with a suffix
USUAL = "conversation"

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_PLAIN = "!#$&+-.^_`|~"  # what RFC 8187 leaves as it is, beside letters and digits


def safe_name(title: str) -> str:
    """A file name without a suffix: no path, no control or direction character, no name of a
    device, never empty."""
    text = unicodedata.normalize("NFC", title)
    text = "".join(" " if _is_hidden(char) else char for char in _FORBIDDEN.sub(" ", text))
    text = " ".join(text.split())[:LONGEST].encode()[:LONGEST_BYTES].decode("utf-8", "ignore")
    text = text.strip(" .")
    return f"{USUAL} {text}" if _DEVICES.fullmatch(text) else text or USUAL


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char)[0] in "CZ"


def disposition(name: str, *, inline: bool = False) -> str:
    """The value of Content-Disposition (RFC 6266): the name itself if it is ASCII, else also what
    is left of it in ASCII, for clients that know no other."""
    kind = "inline" if inline else "attachment"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^ -~]|["\\%]', "_", plain)
    if plain == name:
        return f'{kind}; filename="{name}"'
    stem, _, suffix = plain.rpartition(".")
    plain = f"{stem.strip(' .') or USUAL}.{suffix}"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_PLAIN)}"
