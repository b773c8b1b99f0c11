"""How the process speaks: log lines for people or for machines.

A line never holds a prompt, an answer or a key. A record with `fields` (one for each generation)
is written as `name=value` pairs, or as JSON members.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

PLAIN = "%(asctime)s %(levelname)-7s %(message)s"


class TextFormatter(logging.Formatter):
    """One line for a person."""

    def __init__(self) -> None:
        super().__init__(PLAIN, "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        fields = getattr(record, "fields", None)
        if fields:
            pairs = (f"{name}={value}" for name, value in fields.items() if value is not None)
            line = f"{line} {' '.join(pairs)}"
        return line.replace("\r", "\\r")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", None) or {}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logging(level: str, shape: str) -> None:
    """Send our lines and the web server's to standard error. The libraries below speak only when
    something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if shape == "json" else TextFormatter())
    for name in ("lite_llm_chat", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
    for quiet in ("alembic", "asyncio", "sqlalchemy", "uvicorn.error"):
        logging.getLogger(quiet).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
