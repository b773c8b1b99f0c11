"""Put one question to several models at once, then go on with the answer that you like.

    python several_models.py "Name a colour." deepseek/deepseek-flash,local/smollm2-135m-instruct \\
        [http://localhost:8000]

Each frame of the stream says whose it is: `slot` is the model's place in the list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit


def call(address: str, method: str, path: str, body: object) -> HTTPResponse:
    """The open response. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/v1{path}", json.dumps(body), headers)
    response = connection.getresponse()
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {json.load(response)['detail']}")
    return response


def frames(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The data of each frame."""
    for line in response:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def main(question: str, names: str, address: str = "http://localhost:8000") -> int:
    models = names.split(",")
    body = {"messages": [{"role": "user", "content": question}], "models": models}
    said, begun = [""] * len(models), {}
    for frame in frames(call(address, "POST", "/chat", body)):
        match frame:
            case {"slot": slot, "message_id": _}:
                begun[slot] = frame
            case {"slot": slot, "content": text}:
                said[slot] += text
            case {"slot": slot, "ended": {"status": status}}:
                sys.stdout.write(f"{models[slot]}: {said[slot]} [{status}]\n")
            case {"error": sentence}:
                raise SystemExit(sentence)

    longest = max(range(len(models)), key=lambda slot: len(said[slot]))
    chosen = begun[longest]
    leaf = {"message_id": chosen["message_id"]}
    call(address, "PUT", f"/sessions/{chosen['session_id']}/leaf", leaf)
    sys.stdout.write(f"going on with {models[longest]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
