"""A socket without encryption, as little as a Connection needs of a transport.

    connect ─▶ Line
    write ─▶ socket                 what it does not take at once follows through the event loop
    look ─▶ owner.data_received     one look, without waiting: also what the event loop calls
                                    while reading is resumed
    abort · the other side ends ─▶ owner.connection_lost, at once

A transport of the event loop has for each connection ten objects, names of both ends and two
turns of the loop before the first byte. A thousand streams that arrive together wait for that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Protocol

READ_BYTES = 256 * 1024

_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EINTR)
_READ = memoryview(bytearray(READ_BYTES))  # shared: parsed before anything else can read


class Owner(Protocol):
    """Whom a line tells what comes, as an event loop tells its protocols."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """This is your line."""

    def data_received(self, data: bytes | memoryview) -> None:
        """This has come; it is gone after the call."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is closed: by you, by the other side, or by an error."""


class Line(asyncio.Transport):
    """Owns a connected socket that does not block. Nothing is read unless asked for."""

    __slots__ = ("_loop", "_owner", "_plain", "_reading", "_unsent")

    def __init__(self, loop: asyncio.AbstractEventLoop, plain: socket.socket, owner: Owner) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = loop
        self._owner = owner
        self._plain = plain
        self._reading = False
        self._unsent = b""
        owner.connection_made(self)

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._plain.fileno() < 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it, now or as soon as the other side takes it; nothing once it is closed."""
        if self.is_closing():
            return
        waits = bool(self._unsent)
        self._unsent += data
        if waits:
            return
        self._send()
        if self._unsent:
            self._loop.add_writer(self._plain.fileno(), self._send_rest)

    def resume_reading(self) -> None:
        """Look whenever something has come."""
        if not (self._reading or self.is_closing()):
            self._reading = True
            self._loop.add_reader(self._plain.fileno(), self.look)

    def pause_reading(self) -> None:
        """Look no more by itself."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._plain.fileno())

    def look(self) -> None:
        """Hand over what has come, without waiting."""
        if self.is_closing():
            return
        try:
            size = self._plain.recv_into(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if size:
            self._owner.data_received(_READ[:size])
        else:
            self._lose(None)

    def abort(self) -> None:
        """Close at once; what was not sent is dropped."""
        self._lose(None)

    def _send(self) -> None:
        try:
            sent = self._plain.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        self._unsent = self._unsent[sent:]

    def _send_rest(self) -> None:
        self._send()
        if not self._unsent:
            self._loop.remove_writer(self._plain.fileno())

    def _lose(self, error: OSError | None) -> None:
        if self.is_closing():
            return
        self.pause_reading()
        if self._unsent:
            self._unsent = b""
            self._loop.remove_writer(self._plain.fileno())
        self._plain.close()
        owner = self._owner
        del self._owner  # it holds this: neither would go by itself
        owner.connection_lost(error)


async def connect(
    loop: asyncio.AbstractEventLoop, plain: socket.socket, address: tuple[object, ...]
) -> None:
    """Connect a socket that does not block. An end on this machine is reached within the first
    call: the second one tells, and no turn of the loop is spent on it. Raises OSError."""
    code = plain.connect_ex(address) and plain.connect_ex(address)
    if code in _UNDER_WAY:
        writable = loop.create_future()
        loop.add_writer(plain.fileno(), _resolve, writable)
        try:
            await writable
        finally:
            loop.remove_writer(plain.fileno())
        code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code not in (0, errno.EISCONN):
        raise OSError(code, os.strerror(code))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
