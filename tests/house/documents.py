"""Reading the repository's documents: settings tables, code blocks, pins.

.env.example ─▶ [Line(name, description, value)]      README ─▶ tables · code blocks
requirement*.txt ─▶ {name: pin}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic.fields import FieldInfo

from lite_llm_chat.providers.openai_compatible import Vendor
from lite_llm_chat.providers.registry import Dialect

SKIPPED = {
    ".git", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis",
    "node_modules", "uploads", "dist", "build",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One setting as a document shows it; `default` is empty where nothing is set."""

    name: str
    description: str
    default: str


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: its language and its text."""

    language: str
    text: str


def setting_line(field_name: str, field: FieldInfo) -> Line:
    """A field of Settings as `.env.example` has to show it."""
    value = field.default
    if value is None or value == ():
        shown = ""
    elif isinstance(value, bool):
        shown = str(value).lower()
    else:
        shown = str(value)
    return Line(field_name.upper(), field.description or "", shown)


def vendor_lines(vendor: Vendor) -> list[Line]:
    """The two variables of a vendor: its key, and its address."""
    key = "API key" if vendor.needs_key else "API key, if it wants one"
    url = f"base URL, such as {vendor.base_url}" if vendor.self_run else "API base URL"
    return [
        Line(vendor.key_variable, f"{vendor.name}: {key}", ""),
        Line(
            vendor.url_variable, f"{vendor.name}: {url}", "" if vendor.self_run else vendor.base_url
        ),
    ]


def dialect_lines(vendor_id: str, dialect: Dialect) -> list[Line]:
    """The two variables of a vendor with a dialect of its own."""
    name, url = getattr(dialect.make, "name", ""), dialect.base_url
    key = "API key" if url else "API key, if it wants one"
    place = "API base URL" if url else "base URL, such as http://localhost:11434"
    return [
        Line(f"{vendor_id.upper()}_API_KEY", f"{name}: {key}", ""),
        Line(f"{vendor_id.upper()}_BASE_URL", f"{name}: {place}", url),
    ]


def env_lines(text: str) -> list[Line]:
    """The settings of a `.env` file, each under the comment that describes it."""
    pattern = re.compile(
        r"^# (?P<description>.+)\n(?P<name>[A-Z_]+)=(?P<default>.*)$", re.MULTILINE
    )
    return [Line(m["name"], m["description"], m["default"]) for m in pattern.finditer(text)]


def readme_lines(text: str) -> list[Line]:
    """The rows of the README's table of variables, `None` read as empty."""
    rows = re.findall(r"^\| *`?([A-Z_]+)`? *\| *(.+?) *\| *(.*?) *\|$", text, re.MULTILINE)
    return [
        Line(name, description, "" if default.strip("`") == "None" else default.strip("`"))
        for name, description, default in rows
    ]


def code_blocks(text: str) -> list[Block]:
    """The fenced code blocks of a Markdown text, in order."""
    pattern = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2]) for m in pattern.finditer(text)]


def commands(text: str) -> list[str]:
    """The commands of a Markdown text's shell blocks: one a line, comments and prompts off."""
    shells = (block.text for block in code_blocks(text) if block.language in {"bash", "sh"})
    lines = (line.strip().removeprefix("$ ") for shell in shells for line in shell.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def pins(text: str) -> dict[str, str]:
    """The requirements of a file: normalised name → what stands after it, options left out."""
    joined = text.replace("\\\n", " ")
    lines = (line.split("#")[0].strip() for line in joined.splitlines())
    found = (
        re.match(r"([A-Za-z0-9._-]+)(.*)", line) for line in lines if line[:1] not in {"-", ""}
    )
    return {re.sub(r"[._-]+", "-", m[1]).lower(): m[2].strip() for m in found if m}


def repository_files(root: Path) -> Iterator[Path]:
    """Every file that belongs to the repository: no caches, no environment, no data."""
    for path in sorted(root.iterdir()):
        if path.name in SKIPPED:
            continue
        if path.is_dir():
            yield from repository_files(path)
        elif path.name != ".env" and ".db" not in path.name and ".coverage" not in path.name:
            yield path
