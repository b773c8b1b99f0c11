"""Print an answer as it comes; after a cut, go on where it stopped.

    python stream.py "Write a story about a lighthouse." [http://localhost:8000]

The question is asked in the background, so nothing depends on this program's connection. Each event
has a number; after a cut the last one that was printed says from where to go on.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

PAUSE_S = 0.2


def connect(address: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(address).netloc, timeout=60)


def ask(address: str, question: str) -> str:
    """The id of the generation that answers."""
    body = {"background": True, "messages": [{"role": "user", "content": question}]}
    connection = connect(address)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/api/v1/chat", json.dumps(body), headers)
    response = connection.getresponse()
    ticket = json.load(response)
    if response.status != 202:
        raise SystemExit(f"{response.status}: {ticket['detail']}")
    return str(ticket["generation_id"])


def frames(response: HTTPResponse) -> Iterator[dict[str, str]]:
    """The complete frames of an event stream, as name and value of their lines. A frame that a
    cut tears apart is not one: its number must not count."""
    frame: dict[str, str] = {}
    for line in response:
        name, colon, value = line.decode().rstrip("\n").partition(": ")
        if colon:
            frame[name] = value
        elif frame:
            yield frame
            frame = {}


def events(address: str, generation_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of every event, each once, whatever happens to the connection."""
    seen = "0"
    while True:
        try:
            connection = connect(address)
            path = f"/api/v1/generations/{generation_id}/events"
            connection.request("GET", path, headers={"Last-Event-ID": seen})
            for frame in frames(connection.getresponse()):
                if "event" not in frame:
                    continue  # a comment: the stream is quiet
                seen = frame.get("id", seen)
                yield frame["event"], json.loads(frame["data"])
                if frame["event"] == "ended":
                    return
        except (OSError, HTTPException):
            sys.stderr.write("[cut]\n")
        time.sleep(PAUSE_S)


def main(question: str, address: str = "http://localhost:8000") -> int:
    for name, data in events(address, ask(address, question)):
        match name:
            case "text" | "snapshot":
                sys.stdout.write(data["content"])
                sys.stdout.flush()
            case "ended":
                sys.stdout.write(f"\n[{data['status']}]\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
