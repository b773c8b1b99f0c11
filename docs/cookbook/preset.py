"""Make a preset, begin a conversation with it, and improve it without changing that conversation.

python preset.py "What is the sea?" [http://localhost:8000]
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

POET = {
    "name": "Poet",
    "system_prompt": "You answer in rhymes.",
    "options": {"temperature": 1.2, "max_tokens": 400},
}


def call(address: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and parsed reply."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=600)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    return response.status, json.load(response)


def preset(address: str) -> Any:
    """The preset of this name: a new one, or the one that is there."""
    status, reply = call(address, "POST", "/presets", POET)
    if status == 409:
        _, reply = call(address, "GET", f"/presets/{reply['preset_id']}")
    return reply


def main(question: str, address: str = "http://localhost:8000") -> int:
    poet = preset(address)
    said = [{"role": "user", "content": question}]
    body = {"preset": poet["id"], "messages": said, "stream": False}
    status, answer = call(address, "POST", "/chat", body)
    if status != 200:
        raise SystemExit(f"{status}: {answer['detail']}")
    sys.stdout.write(f"{answer['message']['content']}\n")

    change = {"system_prompt": "You answer in haikus."}
    _, better = call(address, "PATCH", f"/presets/{poet['id']}", change)
    _, session = call(address, "GET", f"/sessions/{answer['session_id']}")
    kept = session["preset"]["version"]
    sys.stdout.write(f"the preset is at version {better['version']}, this chat at {kept}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
