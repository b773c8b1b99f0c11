"""Bring the conversations of another product, and say what became of them.

python import_chats.py chatgpt.zip [--dry-run] [http://localhost:8000]

Run it again whenever you like: what is here already stays as it is.
"""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

PAUSE_S = 0.5


def ask(address: str, method: str, path: str, body: IO[bytes] | None = None) -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=600)
    headers = {"Content-Type": "application/octet-stream"} if body else {}
    connection.request(method, f"/api/v1{path}", body, headers)
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def show(entry: dict[str, Any]) -> None:
    """What became of a conversation, if there is something to say."""
    for note in [entry["why"], *entry["notes"]]:
        if note:
            sys.stdout.write(f"  {entry['title'] or '(no title)'}: {entry['outcome']}, {note}\n")


def main(path: str, *more: str) -> int:
    address = next((one for one in more if "://" in one), "http://localhost:8000")
    wish = {"name": Path(path).name, "dry_run": str("--dry-run" in more).lower()}
    with Path(path).open("rb") as file:
        found = ask(address, "POST", f"/imports?{urlencode(wish)}", file)
    while found["status"] == "running":
        sys.stderr.write(f"{found['bytes_read'] / max(found['bytes'], 1):.0%} read\n")
        time.sleep(PAUSE_S)
        found = ask(address, "GET", f"/imports/{found['id']}")
    counts = ", ".join(f"{count} {name}" for name, count in found["conversations"].items() if count)
    sys.stdout.write(f"{found['format']}: {found['status']}: {counts.replace('_', ' ')}\n")
    for entry in found["entries"]:
        show(entry)
    if found["error"]:
        sys.stdout.write(f"{found['error']}\n")
    return 0 if found["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
