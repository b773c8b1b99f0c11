"""Ask in the background and fetch the answer later.

    python ask_later.py "What is the capital of France?" [http://localhost:8000]

The question carries an Idempotency-Key. Whoever is not sure that a request arrived sends it again
with the same key: it is answered once, and both replies name the same generation.
"""

from __future__ import annotations

import json
import sys
import uuid
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


def call(address: str, method: str, path: str, body: object = None, key: str = "") -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def wait_for_end(address: str, generation_id: str) -> None:
    """Read the generation's events until there are no more: an ended answer ends its stream."""
    connection = HTTPConnection(urlsplit(address).netloc)
    connection.request("GET", f"/api/v1/generations/{generation_id}/events")
    connection.getresponse().read()


def main(question: str, address: str = "http://localhost:8000") -> int:
    body = {"background": True, "messages": [{"role": "user", "content": question}]}
    key = str(uuid.uuid4())
    first = call(address, "POST", "/chat", body, key)
    again = call(address, "POST", "/chat", body, key)
    assert first["generation_id"] == again["generation_id"]

    # … go away, do something else, even restart the server …

    wait_for_end(address, first["generation_id"])
    session = call(address, "GET", f"/sessions/{first['session_id']}")
    answer = session["messages"][-1]
    sys.stdout.write(f"{answer['status']}: {answer['content']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
