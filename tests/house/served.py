"""A copy of the repository, and servers started in it by the README's own commands.

repository ─▶ copy ─▶ `bash -c <command>` ─▶ GET /health answers ─▶ … ─▶ SIGTERM by its id
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from lite_llm_chat.config import Settings

from .documents import repository_files

START_S = 30.0
STOP_S = 20.0


def copy_repository(root: Path, target: Path) -> Path:
    """The repository's own files at `target`: no environment, no caches, no data."""
    for path in repository_files(root):
        place = target / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    return target


def environment(**more: str) -> dict[str, str]:
    """This process's environment without our settings, with this interpreter first on the PATH,
    without the model on board and without a package index."""
    ours = {name.upper() for name in Settings.model_fields} | {"PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "LOCAL_MODEL": "off", "PIP_NO_INDEX": "1"} | more


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    """Status and body of a GET; an error status is an answer too, a picture a garbled text."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(errors="replace")


@contextlib.contextmanager
def serving(folder: Path, command: str, port: int) -> Iterator[str]:
    """The base address of a server that the command started in the folder. It is healthy when
    the block begins, and gone when it has ended."""
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environment(PORT=str(port)),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_healthy(process, base, log)
        yield base
    finally:
        _stop(process)


def _wait_until_healthy(process: subprocess.Popen[bytes], base: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            status, body = get(f"{base}/health")
            assert (status, json.loads(body)["status"]) == (200, "healthy")
            return
        time.sleep(0.05)
    raise AssertionError(f"no answer from {base}/health:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole group that the command started: a reloader has children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"the server did not end within {STOP_S} s of SIGTERM") from None
