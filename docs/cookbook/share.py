"""Ask a question, then make a link to the conversation that anybody may read for a week.

python share.py "What is a lighthouse?" [http://localhost:8000]
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


def call(address: str, method: str, path: str, body: object = None) -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=600)
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def main(question: str, address: str = "http://localhost:8000") -> int:
    body = {"stream": False, "messages": [{"role": "user", "content": question}]}
    answer = call(address, "POST", "/chat", body)
    link = call(address, "POST", f"/sessions/{answer['session_id']}/shares", {"expires_in_days": 7})
    sys.stdout.write(f"{answer['message']['content']}\n{address}{link['url']}\n")
    sys.stderr.write(f"To take it back: DELETE {address}/api/v1/shares/{link['id']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
