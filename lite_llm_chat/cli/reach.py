"""Which server a command talks to: one that runs, or one that is started for it.

    --url, LITE_LLM_CHAT_URL ──────────────────────────────▶ that one
    else GET http://HOST:PORT/health answers as ours ──────▶ that one
    else `serve --child` on a free port of this machine ───▶ that one, until the command is over

A server that was started ends with its command, however that ends: it stops once its standard
input is closed, and the kernel closes that. It gets a session of its own, so that a Ctrl-C in
the terminal is the command's alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from ..config import Settings, load_settings, read_variables
from .client import Client, Unreachable
from .trouble import Trouble

PROBE_S = 2.0
START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from lite_llm_chat.cli import main;"
    " sys.exit(main(sys.argv[1:]))"
)
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - how to reach who listens there


def arguments(parser: argparse.ArgumentParser, *, as_json: bool = True) -> None:
    """What every command that asks a server takes."""
    parser.add_argument(
        "--url", help="the server (else LITE_LLM_CHAT_URL, else HOST and PORT of the settings)"
    )
    if as_json:
        parser.add_argument("--json", action="store_true", help="JSON, for a script")


@contextmanager
def server(url: str | None) -> Iterator[Client]:
    """A client of the server to talk to. One that is started is told of on standard error, and
    has ended when the block has. Raises Unreachable."""
    settings = load_settings()
    named = url or read_variables(["LITE_LLM_CHAT_URL"]).get("LITE_LLM_CHAT_URL")
    if named:
        yield Client(named, settings.api_prefix)
        return
    usual = Client(usual_address(settings), settings.api_prefix)
    if settings.port and is_ours(usual):
        yield usual
        return
    with _started(settings, usual.shown) as address:
        yield Client(address, settings.api_prefix)


def usual_address(settings: Settings) -> str:
    """Where a server with these settings is reached from this machine."""
    host = ANYWHERE.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port or 8000}"


def is_ours(client: Client) -> bool:
    """A server of this program answers there."""
    try:
        with client.open("GET", "/health", timeout_s=PROBE_S) as response:
            said = client.parsed(response)
    except (Trouble, OSError, HTTPException):
        return False
    return isinstance(said, dict) and {"app", "version", "providers"} <= said.keys()


def state_folder() -> Path:
    """The folder for what this program remembers of a person: made if it is not there, for its
    owner alone. Raises Trouble if it cannot be made."""
    named = read_variables(["XDG_STATE_HOME"]).get("XDG_STATE_HOME")
    folder = (Path(named) if named else Path("~/.local/state").expanduser()) / "lite-llm-chat"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as cause:
        raise Trouble(
            f"the folder {folder} cannot be made ({cause.strerror}): name another with"
            " XDG_STATE_HOME"
        ) from cause
    return folder


@contextmanager
def _started(settings: Settings, usual: str) -> Iterator[str]:
    """The address of a server that is there as long as the block runs."""
    log = state_folder() / "server.log"
    print(f"no server at {usual}: one is started for now (log: {log})", file=sys.stderr, flush=True)
    root = str(Path(__file__).resolve().parents[2])
    listen = ("--child", "--host", "127.0.0.1", "--port", "0")
    handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-c", START, root, "serve", *listen],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=handle,
            start_new_session=True,
        )
    finally:
        os.close(handle)
    try:
        assert child.stdout is not None
        address = child.stdout.readline().decode().strip()
        if not address:
            raise Unreachable(_why(log))
        yield address
    finally:
        _end(child, settings.drain_seconds)


def _why(log: Path) -> str:
    """Why a server did not start, in its own words."""
    lines = log.read_text("utf-8", "replace").splitlines()
    said = next((line for line in reversed(lines) if "cannot start: " in line), "")
    reason = said.partition("cannot start: ")[2] or f"{log} says more"
    hint = "; or name the address of that one with --url" if "another server uses" in reason else ""
    return f"no server could be started: {reason}{hint}"


def _end(child: subprocess.Popen[bytes], drain_s: float) -> None:
    """End a server as its own command would be: answers that run may go on for a while."""
    assert child.stdin is not None
    with contextlib.suppress(OSError):
        child.stdin.close()
    try:
        child.wait(drain_s + 10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()
