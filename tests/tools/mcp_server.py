"""A small MCP server of the official SDK, on standard input and output or on a port.

python mcp_server.py FOLDER            on standard input and output
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer


def server(folder: Path) -> MCPServer:
    """Its tools leave their traces in a folder."""
    made = MCPServer("small")

    @made.tool()
    def add(a: int, b: int) -> str:
        """The sum of two numbers."""
        with (folder / "added").open("a") as trace:
            trace.write(f"{a}+{b}\n")
        return str(a + b)

    @made.tool()
    def fail() -> str:
        """Nothing good."""
        raise ValueError("it went wrong")

    @made.tool()
    def long() -> str:
        """Much."""
        return "ä" * 1000

    @made.tool()
    def leak() -> str:
        """What it was started with."""
        return os.environ.get("SMALL_KEY", "nothing")

    @made.tool()
    async def never() -> str:
        """Nothing, ever."""
        (folder / "began").touch()
        try:
            await asyncio.Event().wait()
        except BaseException:
            (folder / "stopped").touch()
            raise
        return ""

    @made.tool()
    def die() -> str:
        """The end of the server."""
        os._exit(3)

    @made.tool()
    async def grow(context: Context) -> str:
        """One more tool."""
        made.add_tool(lambda: "new", name="fresh", description="It was not there before.")
        await context.notify_tools_changed()
        return "grown"

    return made


if __name__ == "__main__":
    (Path(sys.argv[1]) / "pid").write_text(str(os.getpid()))
    server(Path(sys.argv[1])).run("stdio")
