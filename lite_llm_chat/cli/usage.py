"""`usage`: tokens and money, by day, model, provider or session.

GET /usage, page after page ─▶ a table · JSON · CSV
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from . import reach
from .client import Client
from .page import console
from .tables import print_table
from .text import money
from .trouble import Exit

GROUPS = ("day", "model", "provider", "session", "key")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which period, and how it is summed up."""
    parser.description = "Tokens and money of a period: what was asked, and what it cost."
    parser.epilog = (
        "examples:\n"
        "  lite-llm-chat usage --by model --from 2026-11-01\n"
        "  lite-llm-chat usage --csv > usage.csv"
    )
    parser.add_argument("--by", choices=GROUPS, default="day", help="one line for each")
    parser.add_argument("--from", dest="begin", metavar="DAY", help="else 30 days before the end")
    parser.add_argument("--to", dest="end", metavar="DAY", help="the last day; else today")
    reach.arguments(parser, as_json=False)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="JSON, for a script")
    shape.add_argument("--csv", action="store_true", help="CSV, for a spreadsheet")


def run(wanted: argparse.Namespace) -> int:
    """Print what was used. Raises Trouble."""
    query = {"group_by": wanted.by, "from_": wanted.begin, "to": wanted.end, "limit": 1000}
    with reach.server(wanted.url) as client:
        if wanted.csv:
            _print_csv(client, query)
            return Exit.WHOLE
        found = _all_pages(client, query)
    if wanted.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _print(wanted.by, found)
    return Exit.WHOLE


def _all_pages(client: Client, query: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", "/usage", **query)
    after = found["next"]
    while after is not None:
        more = client.call("GET", "/usage", **query, after=after)
        found["rows"] += more["rows"]
        after = more["next"]
    return {**found, "next": None}


def _print_csv(client: Client, query: dict[str, Any]) -> None:
    """The lines of all pages below one line of names."""
    after: str | None = ""
    while after is not None:
        path = client.route("/usage", format="csv", **query) + (f"&after={after}" if after else "")
        with client.open("GET", path) as response:
            text, following = response.read(), response.getheader("X-Next-After")
        sys.stdout.buffer.write(text.partition(b"\r\n")[2] if after else text)
        after = following
    sys.stdout.buffer.flush()


def _print(by: str, found: dict[str, Any]) -> None:
    names = (by, "asked", "tokens in", "cached", "tokens out", "thinking", "cost")
    rows = [(row["key"], *_cells(row)) for row in found["rows"]]
    total = found["total"]
    out = console()
    print_table(out, names, [*rows, ("total", *_cells(total))] if len(rows) > 1 else rows)
    if not rows:
        print("nothing was asked in this time", file=sys.stderr)
    if total["estimated_share"]:
        share = 100 * total["estimated_share"]
        print(f"{share:.1f} % of the tokens are this server's own count", file=sys.stderr)
    if total["unpriced_requests"]:
        unpriced = total["unpriced_requests"]
        print(f"no price is known for {unpriced} of the questions", file=sys.stderr)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = ("requests", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    return (*(f"{row[name]:,}" for name in counts), money(row["cost_microusd"]))
