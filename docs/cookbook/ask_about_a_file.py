"""Upload a file and ask about it: an image, a text or a PDF.

python ask_about_a_file.py notes.pdf "What is this about?" [http://localhost:8000]

The file is kept by its bytes: to send it twice costs nothing. An image for a model that cannot
see is refused with a sentence that names one that can.
"""

from __future__ import annotations

import json
import sys
import uuid
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def post(address: str, path: str, body: bytes, media_type: str) -> Any:
    """The parsed reply. Ends the program with the server's sentence if there is an error."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=600)
    connection.request("POST", f"/api/v1{path}", body, {"Content-Type": media_type})
    response = connection.getresponse()
    reply = json.load(response)
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


def upload(address: str, path: Path) -> Any:
    """The file as the server keeps it."""
    mark = uuid.uuid4().hex
    name = path.name.replace('"', "'")
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    return post(address, "/upload", body, f"multipart/form-data; boundary={mark}")


def main(path: str, question: str, address: str = "http://localhost:8000") -> int:
    file = upload(address, Path(path))
    if file["note"]:
        sys.stderr.write(f"{file['name']}: {file['note']}\n")
    asked = {"role": "user", "content": question, "files": [file["id"]]}
    body = json.dumps({"messages": [asked], "stream": False}).encode()
    reply = post(address, "/chat", body, "application/json")
    sys.stdout.write(f"{reply['message']['content']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
