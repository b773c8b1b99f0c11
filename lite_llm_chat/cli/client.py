"""Requests to a server, and what may go wrong with them as sentences.

    Client(address, prefix) ── call ──▶ parsed JSON
                            ── open ──▶ a response to read from
            Refused: the server said no        Unreachable: nobody (or somebody else) answers

One connection for each request, by the standard library: a command sends a handful of them, and
starts sooner than a client library is imported.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from .trouble import Exit, Trouble

TIMEOUT_S = 60.0
READ_BYTES = 65_536
# Somebody was there: the same request may reach them again.
DROPPED = (
    *(RemoteDisconnected, IncompleteRead),
    *(ConnectionResetError, BrokenPipeError, TimeoutError),
)

Body = bytes | Iterable[bytes] | None


class Unreachable(Trouble):
    """No server answers at an address, or something that is none of ours. `dropped`: one did."""

    def __init__(self, sentence: str, *, dropped: bool = False) -> None:
        super().__init__(sentence, Exit.UNREACHABLE)
        self.dropped = dropped


class Refused(Trouble):
    """The server refused a request: `status`, and `code` and the sentence of its reply."""

    def __init__(self, status: int, code: str, sentence: str, more: Mapping[str, Any]) -> None:
        super().__init__(sentence, Exit.REFUSED)
        self.status = status
        self.code = code
        self.more = more


@dataclass(frozen=True)
class Client:
    """A server at an address such as `http://localhost:8000`. One in front of which a proxy asks
    for a password is `https://name:password@host`."""

    address: str
    prefix: str = "/api/v1"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        try:
            fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # of a port that is no number
            fits = False
        if not fits:
            raise Trouble(
                f"{self.address!r} is no address of a server: write one such as"
                " http://localhost:8000",
                Exit.USAGE,
            )

    @property
    def shown(self) -> str:
        """The address without a password."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """The parsed reply of a route below the prefix, None for an empty one. A `query` of None
        is left out, a list is sent one by one. Raises Refused, Unreachable."""
        sent = None if body is None else json.dumps(body).encode()
        with self.open(method, self.route(path, **query), sent) as response:
            return self.parsed(response)

    def route(self, path: str, **query: object) -> str:
        """A path below the prefix, with its query; `from_` is `from`."""
        given = {
            name.rstrip("_"): str(value).lower() if isinstance(value, bool) else value
            for name, value in query.items()
            if value is not None and value != []
        }
        asked = f"?{urlencode(given, doseq=True, quote_via=quote)}" if given else ""
        return f"{self.prefix}{path}{asked}"

    def parsed(self, response: HTTPResponse) -> Any:
        """The JSON of a response. Raises Unreachable if it is none."""
        try:
            text = response.read()
            return json.loads(text) if text else None
        except (OSError, HTTPException) as cause:
            raise self.lost(cause) from cause
        except ValueError:
            raise self._stranger() from None

    def open(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> HTTPResponse:
        """A successful response; whoever asked closes it, and the connection with it. `path` is
        whole. Raises Refused, Unreachable."""
        connection = self._connection(timeout_s)
        base = urlsplit(self.address).path.rstrip("/")
        kind = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
        sent = {"Connection": "close", "Accept": "*/*", **kind, **self._login(), **(headers or {})}
        try:
            connection.request(method, base + path, body, {**self.headers, **sent})
            response = connection.getresponse()
        except (OSError, HTTPException) as cause:
            connection.close()
            raise self.lost(cause) from cause
        if response.status >= 300:
            with response:
                raise self._refusal(response)
        return response

    def lost(self, cause: Exception) -> Unreachable:
        """What an error of the network says to a person."""
        if isinstance(cause, HTTPException) and not isinstance(cause, DROPPED):
            return self._stranger()
        why = getattr(cause, "strerror", None) or "it hung up"
        if isinstance(cause, TimeoutError):
            why = "it does not answer in time"
        return Unreachable(
            f"no answer from {self.shown} ({why.lower()}): start a server there, or name another"
            " one with --url",
            dropped=isinstance(cause, DROPPED),
        )

    def _connection(self, timeout_s: float) -> HTTPConnection:
        parts = urlsplit(self.address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=timeout_s)

    def _login(self) -> dict[str, str]:
        parts = urlsplit(self.address)
        if parts.username is None:
            return {}
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _stranger(self) -> Unreachable:
        return Unreachable(
            f"what answers at {self.shown} is not Lite-LLM-Chat: name another server with --url"
        )

    def _refusal(self, response: HTTPResponse) -> Trouble:
        """The error of a reply that is none of success."""
        try:
            said = json.loads(response.read())
        except (OSError, HTTPException, ValueError):
            said = None
        if not isinstance(said, dict) or "code" not in said:
            if response.status == 401:
                sentence = "asks for a password: write it as https://name:password@host"
                return Unreachable(f"{self.shown} {sentence}")
            return self._stranger()
        return Refused(response.status, str(said["code"]), _sentence(said["detail"]), said)


def _sentence(detail: object) -> str:
    """The sentence of an error; of a list of findings, what is wrong where."""
    if not isinstance(detail, list):
        return str(detail)
    return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in detail)
