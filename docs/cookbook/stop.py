"""Stop an answer after its first words and see what was kept.

python stop.py "Write a long story about a lighthouse." [http://localhost:8000]
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


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


def wait_for_words(address: str, generation_id: str) -> None:
    """Read the generation's events until it says something (or ends)."""
    connection = HTTPConnection(urlsplit(address).netloc)
    connection.request("GET", f"/api/v1/generations/{generation_id}/events")
    for line in connection.getresponse():
        if line in (b"event: text\n", b"event: ended\n"):
            break
    connection.close()


def main(question: str, address: str = "http://localhost:8000") -> int:
    body = {"background": True, "messages": [{"role": "user", "content": question}]}
    ticket = call(address, "POST", "/chat", body)
    wait_for_words(address, ticket["generation_id"])
    generation = call(address, "POST", f"/generations/{ticket['generation_id']}/cancel")
    session = call(address, "GET", f"/sessions/{ticket['session_id']}")
    sys.stdout.write(f"{generation['status']}: {session['messages'][-1]['content']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
