"""Tools of MCP servers, by the official SDK. Imported only where the operator names a server.

    tools.toml ─▶ Connection ── task: connect ─▶ list ─▶ listen for changes ─▶ lost? again
                     ▲   └─ known: server__tool ─▶ Tool, its checker, its own name
    McpTools ────────┘
      verdict: rule of the operator, JSON, schema        run: one call, bounded, always a result

A connection is made, used and closed by its own task, in the background: nobody's start waits for
it, and the child process of a command ends with it. What was known of a server stays known while
it is away; a call waits for its return as long as a call may take.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from mcp import Client, MCPError, StdioServerParameters, stdio_client, types
from mcp.client.session import IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..domain import Tool, ToolCall, ToolResult
from .base import Verdict, unknown
from .config import Server

LONGEST_NAME = 64
CONNECT_S = 30.0
PAUSES_S = (0.25, 30.0)  # before a connection is made anew: the first, and the longest
PING_S = 30.0  # an older server that is quiet is asked so often whether it is there
MOST_PAGES = 100  # of a server's list of tools
_SECRET_CHARS = 6  # a shorter value of `env` or `headers` is a word and no secret

log = logging.getLogger("lite_llm_chat.tools")


@dataclass(frozen=True, slots=True)
class _Known:
    """A tool as the model is told of it, its name at its server, and what judges arguments."""

    tool: Tool
    name: str
    checker: Validator | None


class Connection:
    """One MCP server. `serve` is its task; everything else may be used by anybody."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self.known: dict[str, _Known] = {}
        self.listed = False  # True once the server has said what it has
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._bell = asyncio.Event()  # an older server says that its tools changed
        self._timer: asyncio.Timeout | None = None  # set off, it ends the connection
        self._secrets = [
            one
            for one in (*server.env.values(), *server.headers.values())
            if len(one) >= _SECRET_CHARS
        ]

    async def serve(self) -> None:
        """Keep the connection, for ever."""
        first_s, longest_s = PAUSES_S
        pause_s = first_s
        while True:
            try:
                async with asyncio.timeout(CONNECT_S) as timer, self._connected() as client:
                    await self._learn(client)
                    timer.reschedule(None)
                    self._client, self._timer = client, timer
                    self._up.set()
                    pause_s = first_s
                    log.info("tools of %s: %d", self.name, len(self.known))
                    await self._follow(client)
            except Exception as error:
                log.warning("tools of %s: no connection (%s)", self.name, _kinds(error))
            finally:
                self._client = self._timer = None
                self._up.clear()
            await asyncio.sleep(pause_s)
            pause_s = min(longest_s, pause_s * 2)

    async def call(self, call: ToolCall, arguments: dict[str, object]) -> ToolResult:
        """Carry a call out, once. Never raises."""
        try:
            async with asyncio.timeout(self.server.timeout_s):
                await self._up.wait()
                known = self.known.get(call.name)
                if known is None or self._client is None:
                    return ToolResult(call.id, unknown(call), failed=True)
                result = await self._client.call_tool(known.name, arguments)
        except TimeoutError:
            said = f"There was no result within {self.server.timeout_s:g} seconds."
            return ToolResult(call.id, said, failed=True)
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                self._lose()
            return ToolResult(call.id, self._shown(error.message), failed=True)
        except Exception as error:
            log.warning("tools of %s: a call failed (%s)", self.name, _kinds(error))
            self._lose()
            said = "The server of this tool failed, and nobody knows whether the call was made."
            return ToolResult(call.id, said, failed=True)
        return ToolResult(call.id, self._shown(_text(result)), failed=result.is_error)

    def _lose(self) -> None:
        """Have the connection made anew; until then nobody is sent anything."""
        self._up.clear()
        if self._timer is not None:
            timer, self._timer = self._timer, None
            timer.reschedule(asyncio.get_running_loop().time())

    def _shown(self, text: str) -> str:
        """A text of the server's, without what is secret and no longer than it may be."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        raw, most = text.encode("utf-8", "replace"), self.server.max_result_bytes
        if len(raw) <= most:
            return raw.decode()
        return f"{raw[:most].decode(errors='ignore')}\n(The rest was cut: over {most} bytes.)"

    # ── what its task does ────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        one = self.server
        if one.command:
            env = dict(one.env)
            child = StdioServerParameters(command=one.command, args=list(one.args), env=env)
            async with self._client_on(stdio_client(child, sys.stderr)) as client:
                yield client
            return
        timeout = httpx2.Timeout(CONNECT_S, read=max(300.0, one.timeout_s))
        async with httpx2.AsyncClient(headers=one.headers, timeout=timeout, trust_env=False) as web:
            transport = streamable_http_client(one.url, http_client=web)
            async with self._client_on(transport) as client:
                yield client

    def _client_on(self, transport: object) -> Client:
        return Client(transport, message_handler=self._hear, cache=None)  # type: ignore[arg-type]

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._bell.set()

    async def _follow(self, client: Client) -> None:
        """Return, or raise, once the connection is lost; renew the list whenever it changes."""
        with suppress(ListenNotSupportedError, MCPError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    await self._learn(client)
                return
        while True:  # an older server, which speaks without being asked
            rang = False
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await self._bell.wait()
                    rang = True
            self._bell.clear()
            if rang:
                await self._learn(client)
            else:
                await client.send_ping()

    async def _learn(self, client: Client) -> None:
        known: dict[str, _Known] = {}
        async for tool in _listed(client):
            name = exposed(self.name, tool.name)
            if self.server.word_for(name.partition("__")[2]) == "deny":
                continue
            told = Tool(name, tool.description or "", tool.input_schema)
            known[name] = _Known(told, tool.name, _checker(tool.input_schema))
        self.known, self.listed = known, True


class McpTools:
    """A Toolbox of MCP servers. `start` connects in the background, `close` ends what it made."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._connections = {name: Connection(name, one) for name, one in servers.items()}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(one.serve(), name=f"tools-{name}")
            for name, one in self._connections.items()
        ]

    async def close(self) -> None:
        """Return when the connections are closed and the children have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tools(self) -> tuple[Tool, ...]:
        connections = self._connections.values()
        return tuple(one.tool for connection in connections for one in connection.known.values())

    def verdict(self, call: ToolCall) -> Verdict:
        server, _, rest = call.name.partition("__")
        connection = self._connections.get(server)
        if connection is None or not rest:
            return Verdict("deny", unknown(call))
        known = connection.known.get(call.name)
        word = connection.server.word_for(rest)
        if word == "deny" or (known is None and connection.listed):
            return Verdict("deny", unknown(call))
        fault = _fault(known and known.checker, call)
        return Verdict("deny", fault) if fault else Verdict(word)

    async def run(self, call: ToolCall) -> ToolResult:
        connection = self._connections.get(call.name.partition("__")[0])
        arguments = _arguments(call)
        if connection is None or arguments is None:
            return ToolResult(call.id, self.verdict(call).why or unknown(call), failed=True)
        return await connection.call(call, arguments)


# ── names, arguments, results ─────────────────────────────────────────────────────────────────


def exposed(server: str, tool: str) -> str:
    """The name under which a model is told of a tool: what every vendor takes as a name. One that
    had to be changed for that ends in six digits of the original's hash."""
    name = f"{server}__{tool}"
    clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if clean == name and len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.sha256(tool.encode()).hexdigest()[:6]
    return f"{clean[: LONGEST_NAME - len(mark) - 1]}_{mark}"


async def _listed(client: Client) -> AsyncIterator[types.Tool]:
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        cursor = page.next_cursor
        if cursor is None:
            return


def _checker(schema: Mapping[str, object]) -> Validator | None:
    """What judges arguments; None for a schema that is none. Nothing is fetched for it."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError:
        return None
    return kind(schema, registry=Registry())


def _arguments(call: ToolCall) -> dict[str, object] | None:
    try:
        found = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fault(checker: Validator | None, call: ToolCall) -> str:
    """What is wrong with a call's arguments, for the model; "" for nothing."""
    arguments = _arguments(call)
    if arguments is None:
        return "The arguments are not a JSON object."
    try:
        wrong = next(checker.iter_errors(arguments), None) if checker else None
    except (Unresolvable, RecursionError):  # a schema that leads elsewhere: its server will judge
        return ""
    if wrong is None:
        return ""
    return f"The arguments do not match the tool's schema: {wrong.json_path}: {wrong.message}"


def _text(result: types.CallToolResult) -> str:
    said = "\n".join(_blocks(result.content))
    if said or result.structured_content is None:
        return said
    return json.dumps(result.structured_content, ensure_ascii=False)


def _blocks(content: Sequence[types.ContentBlock]) -> Iterator[str]:
    for block in content:
        match block:
            case types.TextContent():
                yield block.text
            case types.ImageContent() | types.AudioContent():
                yield f"({block.mime_type}, which cannot be shown here)"
            case types.ResourceLink():
                yield f"{block.name}: {block.uri}"
            case types.EmbeddedResource(resource=types.TextResourceContents() as inner):
                yield inner.text
            case types.EmbeddedResource():
                yield "(a file, which cannot be shown here)"


def _kinds(error: BaseException) -> str:
    """What an error is, without what it says: addresses and keys may stand there."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(dict.fromkeys(map(_kinds, error.exceptions)))
    return type(error).__name__
