"""Archive what was not used for some days, except what is pinned or tagged.

python tidy_up.py 30 [http://localhost:8000]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

AT_ONCE = 500


def call(address: str, method: str, path: str, body: object = None) -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def older_than(address: str, moment: str) -> Iterator[dict[str, Any]]:
    """The sessions that were last updated before a moment, a page after the other: a page begins
    behind the last session of the one before."""
    key = f"{moment},1"
    while page := call(address, "GET", f"/sessions?limit={AT_ONCE}&before={quote(key)}"):
        yield from page
        key = f"{page[-1]['updated_at']},{page[-1]['id']}"


def main(days: str, address: str = "http://localhost:8000") -> int:
    moment = datetime.now(UTC) - timedelta(days=float(days))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    old = [one for one in older_than(address, text) if not (one["pinned"] or one["tags"])]
    changed = 0
    for start in range(0, len(old), AT_ONCE):
        ids = [one["id"] for one in old[start : start + AT_ONCE]]
        outcome = call(address, "POST", "/sessions/bulk", {"action": "archive", "ids": ids})
        changed += outcome["changed"]
    sys.stdout.write(f"{changed} archived\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
