"""Find conversations by their words, and print where they are said.

    python search.py '"garden shed" paint -red' [http://localhost:8000]

All words have to be there; quotes make a phrase, a minus means without. Each conversation is shown
once, its best hit below it. A page may be short: the end is where there is no next_cursor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit


def get(address: str, path: str) -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", f"/api/v1{path}")
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def results(address: str, q: str) -> Iterator[Any]:
    """Everything that is found, best first, asked for page by page."""
    query = {"q": q}
    while True:
        page = get(address, f"/search?{urlencode(query)}")
        yield from page["results"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def starred(text: str, ranges: list[list[int]]) -> str:
    """The text with *stars* around what was found."""
    for start, end in reversed(ranges):
        text = f"{text[:start]}*{text[start:end]}*{text[end:]}"
    return text


def main(q: str, address: str = "http://localhost:8000") -> int:
    for one in results(address, q):
        session = one["session"]
        sys.stdout.write(f"{session['title']} ({session['id']})\n")
        sys.stdout.write(f"    {starred(one['text'], one['ranges'])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
