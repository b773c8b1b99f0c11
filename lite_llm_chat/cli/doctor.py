"""`doctor`: looks for what is wrong here, and says the mend.

    settings ─▶ machine · vendors ─▶ [Finding] ─▶ a line each, or JSON; exit code 1 if one fails

It needs no server and disturbs none: it may run beside one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..config import Settings, load_settings
from ..errors import StartupError
from ..store.location import Location
from . import machine, vendors
from .findings import Finding, fail, ok
from .page import console, is_plain
from .text import line
from .trouble import Exit

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def arguments(parser: argparse.ArgumentParser) -> None:
    """How much is looked at."""
    parser.description = (
        "Look at settings, keys, models, disk, database, clock and versions, and say the mend\n"
        "of what is wrong. Ready vendors are asked for their list of models, which costs nothing.\n"
        "The exit code is 1 if something does not work."
    )
    parser.epilog = "examples:\n  lite-llm-chat doctor\n  lite-llm-chat doctor --offline --json"
    parser.add_argument("--offline", action="store_true", help="ask no vendor")
    parser.add_argument("--json", action="store_true", help="JSON, for a script")


def run(wanted: argparse.Namespace) -> int:
    """Look, and say what was found."""
    found: list[Finding] = []
    for finding in _findings(online=not wanted.offline):
        found.append(finding)
        if not wanted.json:
            _print(finding)
    failed = sum(one.level == "fail" for one in found)
    if wanted.json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False))
    elif failed:
        print(f"{failed} of {len(found)} do not work", file=sys.stderr)
    return Exit.TROUBLE if failed else Exit.WHOLE


def _findings(*, online: bool) -> Iterator[Finding]:
    yield from machine.versions(Path(__file__).resolve().parents[2])
    try:
        settings = load_settings()
        location = Location.from_url(
            settings.database_url, allow_network=settings.allow_network_filesystem
        )
    except StartupError as error:
        yield fail("settings", error.detail, "correct them in .env or in the environment")
        return
    yield _settings()
    yield from _of_settings(settings, location, online=online)


def _settings() -> Finding:
    env = Path(".env")
    return ok("settings", f"of {env.absolute()}" if env.exists() else "of the environment; no .env")


def _of_settings(settings: Settings, location: Location, *, online: bool) -> Iterator[Finding]:
    yield from machine.disk(settings, location)
    yield from machine.database(location)
    yield machine.clock()
    if online:
        yield from vendors.vendor_clock(settings)
    yield machine.port(settings)
    yield from vendors.vendors(settings, online=online)


def _print(finding: Finding) -> None:
    """A line, and below it the mend."""
    out = console()
    mark, colour = MARKS[finding.level]
    if is_plain(out):
        print(f"{finding.level:<4}  {finding.what}: {line(finding.said)}")
        if finding.mend:
            print(f"      mend: {line(finding.mend)}")
        return
    out.print(f"[{colour}]{mark}[/] ", end="")
    out.print(f"{finding.what:<16} ", end="", style="bold", markup=False)
    out.print(line(finding.said), markup=False)
    if finding.mend:
        out.print(f"  {'':<16} → {line(finding.mend)}", style=colour, markup=False)
