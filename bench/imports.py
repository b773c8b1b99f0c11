"""The memory and the speed of an import: a large ChatGPT archive, made up and brought.

    python -m bench.imports [--megabytes 1000]
    talks ─▶ conversations.json in a zip ─▶ POST /imports ─▶ peak of the server and its reader, s

The archive is measured by its unpacked size. It is some minutes of work at the size of a gigabyte,
so it is no part of `make bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .machine import cores, rss_mb
from .servers import Servers

MOST_MB = 300
LOOK_S = 0.02
WORDS = 4096  # that texts are made of
TURNS = 40  # messages in a talk


@dataclass(frozen=True, slots=True)
class Figures:
    """What an import took: the highest memory of the server and its reader together."""

    archive_mb: float
    unpacked_mb: float
    messages: int
    seconds: float
    peak_mb: float
    status: str

    def line(self) -> str:
        return (
            f"{self.unpacked_mb:.0f} MB in a zip of {self.archive_mb:.0f} MB, {self.messages}"
            f" messages: {self.status} after {self.seconds:.1f} s, at most {self.peak_mb:.0f} MB"
            " of memory"
        )


def talks(megabytes: float, seed: int = 7) -> Iterator[bytes]:
    """Conversations as ChatGPT exports them, until they have so many bytes."""
    draw, left, number = random.Random(seed), int(megabytes * 1e6), 0
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(WORDS)]
    while left > 0:
        number += 1
        data = json.dumps(_talk(number, words, draw)).encode()
        left -= len(data)
        yield data


def _talk(number: int, words: list[str], draw: random.Random) -> dict[str, object]:
    nodes: dict[str, object] = {"root": {"id": "root", "parent": None, "message": None}}
    parent = "root"
    for turn in range(TURNS):
        key, role = f"{number}-{turn}", "assistant" if turn % 2 else "user"
        text = " ".join(draw.choices(words, k=300 if turn % 2 else 40))
        nodes[key] = {
            "id": key,
            "parent": parent,
            "children": [],
            "message": {
                "author": {"role": role},
                "create_time": 1.7e9 + number,
                "content": {"content_type": "text", "parts": [text]},
                "metadata": {"model_slug": "gpt-4o"},
                "weight": 1.0,
                "recipient": "all",
            },
        }
        parent = key
    name = f"talk-{number}"
    return {"conversation_id": name, "title": name, "mapping": nodes, "current_node": parent}


def make(path: Path, megabytes: float) -> float:
    """An archive; its unpacked size in megabytes."""
    size = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("conversations.json", "w", force_zip64=True) as target,
    ):
        for number, talk in enumerate(talks(megabytes)):
            size += target.write((b"," if number else b"[") + talk)
        target.write(b"]")
    return size / 1e6


def bring(port: int, pid: int, path: Path, unpacked_mb: float) -> Figures:
    """Import an archive and look at the memory until it is over."""
    begun, peak = time.monotonic(), 0.0
    import_id = str(_sent(port, path)["id"])
    while True:
        peak = max(peak, rss_mb(pid))
        now = _asked(port, "GET", f"/api/v1/imports/{import_id}")
        if now["status"] != "running":
            took = time.monotonic() - begun
            sizes = path.stat().st_size / 1e6, unpacked_mb
            return Figures(*sizes, int(str(now["messages"])), took, peak, str(now["status"]))
        time.sleep(LOOK_S)


def _sent(port: int, path: Path) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    headers = {"content-type": "application/zip", "content-length": str(path.stat().st_size)}
    with path.open("rb") as body:
        connection.request("POST", "/api/v1/imports?name=bench.zip", body, headers)
        return _read(connection)


def _asked(port: int, method: str, path: str) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    return _read(connection)


def _read(connection: http.client.HTTPConnection) -> dict[str, object]:
    response = connection.getresponse()
    reply: dict[str, object] = json.loads(response.read())
    connection.close()
    if response.status >= 400:
        raise SystemExit(f"{response.status}: {reply['detail']}")
    return reply


async def measure(megabytes: float) -> Figures:
    """A fresh server, and one import."""
    with tempfile.TemporaryDirectory(prefix="bench-imports-") as name:
        path = Path(name) / "archive.zip"
        unpacked_mb = await asyncio.to_thread(make, path, megabytes)
        with Servers(Path(name), cores()) as servers:
            server = await servers.product(LOCAL_MODEL="off")
            return await asyncio.to_thread(bring, server.port, server.pid, path, unpacked_mb)


def main() -> int:
    parser = argparse.ArgumentParser(description="measure an import")
    parser.add_argument("--megabytes", type=float, default=100)
    figures = asyncio.run(measure(parser.parse_args().megabytes))
    sys.stdout.write(f"{figures.line()}\n")
    return 0 if figures.peak_mb < MOST_MB and figures.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
