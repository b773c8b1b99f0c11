"""`serve`: listen, and say what answers.

bind the port (taken? say so) ─▶ start the application ─▶ print the address ─▶ serve
                                                                                 │
started by another command: standard input ends with that one ─▶ SIGTERM to self ┘
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import ipaddress
import logging
import math
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from ..app import Answering, create_app, who_answers
from ..config import Settings, load_settings
from ..errors import StartupError
from ..web import Connection

OPEN_FILES = 65_536
# An idle connection is kept longer than clients and proxies keep theirs (aiohttp 15 s, nginx 60 s):
# who is first to close must not be the one who did not ask, or a question meets a closed door.
KEEP_ALIVE_S = 75

log = logging.getLogger("lite_llm_chat")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, if not where the settings say."""
    parser.description = "Start the server. All else is a setting, in the environment or in .env."
    parser.epilog = "example: lite-llm-chat serve --port 9000"
    parser.add_argument("--host", help="the address to listen on, instead of HOST")
    parser.add_argument("--port", type=int, help="the port to listen on, instead of PORT")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def run(wanted: argparse.Namespace) -> int:
    """Serve until a signal ends it. Raises StartupError."""
    settings = load_settings()
    changed = {"host": wanted.host, "port": wanted.port}
    given = {name: value for name, value in changed.items() if value is not None}
    if wanted.child:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    return serve(settings.model_copy(update=given), brief=wanted.child)


def _end_with_parent() -> None:
    """Stop once standard input ends: whoever started this server has left, or was killed."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def serve(settings: Settings, *, brief: bool = False) -> int:
    """Listen on HOST and PORT until a signal ends it; `brief` says the address and nothing else.
    Raises StartupError."""
    _allow_many_files()
    app = create_app(settings)
    listener = _bind(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + 1,
    )

    def greeting() -> str:
        if brief:
            return _address(settings, listener)
        return _greeting(settings, _address(settings, listener), who_answers(app))

    server = _Server(config, greeting)
    try:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the reason was said before
            server.run(sockets=[listener])
    finally:
        listener.close()
    return 0 if server.started else 1


def _allow_many_files() -> None:
    """As many open files as the system lets us, up to OPEN_FILES: an answer takes two, and the
    usual 1,024 would be used up by 500 of them."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems do not grant what they name
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class _Server(uvicorn.Server):
    """The web server; greets once it listens."""

    def __init__(self, config: uvicorn.Config, greeting: Callable[[], str]) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print(self._greeting(), flush=True)


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: clients wait until the start-up is over."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is, and
    # with it on every answer waits for the client's delayed acknowledgement: 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as cause:
        listener.close()
        if cause.errno == errno.EADDRINUSE:
            raise StartupError(
                f"port {port} is taken by another program: stop that one, or choose another port,"
                f" such as PORT={port + 1 if port < 65_535 else 8000}"
            ) from cause
        raise StartupError(
            f"HOST={host} PORT={port} cannot be listened on ({cause.strerror}): check both"
        ) from cause
    return listener


def _address(settings: Settings, listener: socket.socket) -> str:
    """Where it can be reached, with the port that the system gave if PORT is 0."""
    shown = "localhost" if _is_loopback(settings.host) else settings.host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _greeting(settings: Settings, base: str, who: Answering) -> str:
    lines = [
        "",
        f"  {settings.app_name} {settings.app_version}",
        "",
        f"  address    {base}",
        f"  API docs   {base}/docs",
        f"  answers    {who.usual}",
    ]
    if who.trouble:
        lines.append(f"  caution    it cannot answer yet: {who.trouble}")
    if who.others:
        lines.append(f"  on demand  {', '.join(who.others)} (DEFAULT_PROVIDER makes one the usual)")
    if not settings.deepseek_api_key and settings.default_provider in (None, "local"):
        lines.append("  DeepSeek   set DEEPSEEK_API_KEY in .env and restart")
    if not _is_loopback(settings.host):
        lines.append("  caution    whoever can reach this address can read and write all chats")
    lines += [
        "",
        f"  try it     curl -N {base}{settings.api_prefix}/chat \\",
        """               -H 'Content-Type: application/json' \\""",
        """               -d '{"messages": [{"role": "user", "content": "Hello!"}]}'""",
        "",
    ]
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
