"""What is done beside the answers, put together: summaries, titles, the trash.

Settings ─▶ beside ─┬─▶ Summaries, Titles ─▶ Chat tells them of its answers
                    └─▶ Trash ─▶ stops answers through Chat
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from . import stamps
from .answering.asides import Asides
from .answering.summaries import Summaries
from .catalog import Catalog
from .chat import Chat
from .config import Settings
from .history.keeping import Keeping
from .history.titles import Titles, title_rules
from .history.trash import Trash
from .providers.base import Provider
from .store.database import Database


def keeping_of(settings: Settings) -> Keeping:
    """How long sessions are kept."""
    return Keeping.of_days(settings.retention_days, settings.trash_days)


def beside(
    settings: Settings,
    stack: AsyncExitStack,
    database: Database,
    chat: Chat,
    sources: tuple[Catalog, Mapping[str, Provider]],
) -> tuple[Titles, Trash]:
    """All of it, closed with the stack. Raises StartupError."""
    asides = Asides(database, stamps.now)
    if settings.summarize_dropped:
        summaries = Summaries(database, asides, stamps.now)
        stack.push_async_callback(summaries.close)
        chat.sum_up(summaries)
    rules = title_rules(settings.titles, settings.title_model, sources[0])
    titles = Titles(database, asides, sources, rules, lambda: chat.draining)
    stack.push_async_callback(titles.close)
    chat.name(titles)
    trash = Trash(database, chat.clear, keeping_of(settings), stamps.now)
    stack.push_async_callback(trash.close)
    return titles, trash
