"""Connections to vendors: opened when needed, kept for a while, all closed at the end.

    Pool.kept(origin) ─▶ Connection, the one that rested last, or None
    Pool.connect(origin) ─▶ Connection, fresh ─▶ … ─▶ Pool.keep(origin, connection)

There is no limit to their number: a stream that waited for another one's end would be silent.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple

import aiohappyeyeballs

from .http1 import Connection
from .line import Line, connect

KEEP_S = 20.0  # an idle connection; many gateways close it after 60 s or more
NAMES_S = 60.0  # the addresses of a host
SECOND_ADDRESS_S = 0.25  # before another address of the same host is tried beside the first

_Addresses = Sequence[aiohappyeyeballs.AddrInfoType]


class Origin(NamedTuple):
    """Where a connection goes."""

    host: str
    port: int
    tls: bool


class Pool:
    """All connections of the process. Call it inside the running event loop."""

    def __init__(self, connect_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle: dict[Origin, list[Connection]] = {}
        self._names: dict[tuple[str, int], tuple[float, _Addresses]] = {}
        self._context: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def connect(self, origin: Origin) -> Connection:
        """A fresh connection. Raises OSError (TimeoutError, socket.gaierror, ssl.SSLError …)."""
        async with asyncio.timeout(self._connect_timeout_s):
            loop = asyncio.get_running_loop()
            context = await self._tls() if origin.tls else None
            addresses = await self._resolved(origin.host, origin.port)
            plain = await _connected(loop, addresses)
            connection = Connection(loop)
            if context is None:
                Line(loop, plain, connection)
            else:
                await loop.create_connection(
                    lambda: connection, sock=plain, ssl=context, server_hostname=origin.host
                )
            return connection

    def kept(self, origin: Origin) -> Connection | None:
        """A connection that served before and may have been closed by now, or None."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
        return None

    def keep(self, origin: Origin, connection: Connection) -> None:
        """Put a connection by for the next request, or close it if it cannot serve one."""
        if not connection.reusable:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        connection.rest()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_S, self._drop_old, loop)

    async def close(self) -> None:
        """Close what is idle. What is in use is closed by its user."""
        if self._sweep is not None:
            self._sweep.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # a closed transport lets go of its socket in the next turn

    def _drop_old(self, loop: asyncio.AbstractEventLoop) -> None:
        kept: dict[Origin, list[Connection]] = {}
        for origin, idle in self._idle.items():
            for connection in idle:
                if connection.reusable and loop.time() - connection.idle_since < KEEP_S:
                    kept.setdefault(origin, []).append(connection)
                else:
                    connection.close()
        self._idle = kept
        self._sweep = loop.call_later(KEEP_S / 4, self._drop_old, loop) if kept else None

    async def _resolved(self, host: str, port: int) -> _Addresses:
        loop = asyncio.get_running_loop()
        until, known = self._names.get((host, port), (0.0, ()))
        if loop.time() < until:
            return known
        found = _numeric(host, port) or await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        self._names[host, port] = loop.time() + NAMES_S, found
        return found

    async def _tls(self) -> ssl.SSLContext:
        """Made at the first use: reading the machine's certificates takes tens of
        milliseconds."""
        if self._context is None:
            self._context = await asyncio.to_thread(ssl.create_default_context)
        return self._context


async def _connected(loop: asyncio.AbstractEventLoop, addresses: _Addresses) -> socket.socket:
    """A connected socket. Raises OSError."""
    if len(addresses) > 1:
        return await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=SECOND_ADDRESS_S, interleave=1
        )
    [(family, kind, protocol, _, address)] = addresses
    plain = socket.socket(family, kind, protocol)
    connected = False
    try:
        plain.setblocking(False)
        await connect(loop, plain, address)
        connected = True
        return plain
    finally:
        if not connected:
            plain.close()


def _numeric(host: str, port: int) -> _Addresses:
    """The address that a host is already, if it is one; no look-up."""
    try:
        return socket.getaddrinfo(
            host,
            port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_NUMERICHOST,
        )
    except (socket.gaierror, UnicodeError):
        return ()
