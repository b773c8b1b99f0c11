"""What the rules compare with: who may import whom, and the few named exceptions.

    main ─▶ cli ┄▶ app ─▶ api ─▶ chat ─▶ engine ─▶ eventlog ─▶ store ─▶ domain, errors
                                             └────▶ providers.base ────────────┘

A row names the modules that a module (or everything below a folder) may import of ours; what is
not named is forbidden. To allow something, change the table and say why in docs/decisions/.
"""

from __future__ import annotations

from .rules import Place

OURS = ("lite_llm_chat", "standins", "bench", "tests", "main")
EVERYTHING = ("main.py", "lite_llm_chat", "standins", "bench", "tests")
PRODUCT = ("main.py", "lite_llm_chat")

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def _ours(names: str) -> tuple[str, ...]:
    return tuple(f"lite_llm_chat.{name}" for name in names.split())


MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "lite_llm_chat": (),
    "lite_llm_chat.errors": (),
    "lite_llm_chat.stamps": (),
    "lite_llm_chat.config": _ours("errors"),
    "lite_llm_chat.observe": (),
    "lite_llm_chat.domain": _ours("domain"),
    "lite_llm_chat.providers": _ours("domain errors providers"),
    "lite_llm_chat.store": _ours("domain errors stamps store"),
    "lite_llm_chat.prices": _ours("domain errors prices"),
    "lite_llm_chat.usage": _ours("errors prices store"),
    "lite_llm_chat.catalog": _ours("domain errors"),
    "lite_llm_chat.model_lists": _ours("domain errors catalog providers.base"),
    "lite_llm_chat.asking.context": _ours("domain errors"),
    "lite_llm_chat.livelog": _ours("domain"),
    "lite_llm_chat.tail": _ours("domain livelog"),
    "lite_llm_chat.eventlog": _ours("domain errors livelog store tail"),
    "lite_llm_chat.asking.fallbacks": _ours("errors catalog"),
    "lite_llm_chat.answering.rest": _ours("errors"),
    "lite_llm_chat.answering.elsewhere": _ours("errors providers.base"),
    "lite_llm_chat.asking.forms": _ours("domain errors"),
    "lite_llm_chat.answering.drafts": _ours("domain"),
    "lite_llm_chat.answering.run": _ours("domain answering.drafts providers.base"),
    "lite_llm_chat.answering.formed": _ours("domain errors asking.forms answering.run"),
    "lite_llm_chat.answering.attempts": _ours(
        "domain errors eventlog providers.base"
        " answering.elsewhere answering.formed answering.rest answering.run"
    ),
    "lite_llm_chat.tools": _ours("domain errors tools"),
    "lite_llm_chat.answering.rounds": _ours(
        "domain answering.attempts eventlog asking.prompts answering.run tools.base"
    ),
    "lite_llm_chat.engine": _ours(
        "domain errors eventlog providers.base tools.base"
        " answering.attempts answering.rest answering.rounds answering.run"
    ),
    "lite_llm_chat.files.sniff": (),
    "lite_llm_chat.files.pdf_text": (),
    "lite_llm_chat.files.pdf": _ours("files.sniff"),
    "lite_llm_chat.files.uploads": _ours("errors files.pdf files.sniff store"),
    "lite_llm_chat.files.materials": _ours("domain errors files.uploads"),
    "lite_llm_chat.history.naming": _ours("domain"),
    "lite_llm_chat.history.places": _ours("domain errors store"),
    "lite_llm_chat.history.keeping": _ours("history.places store"),
    "lite_llm_chat.history.trash": _ours("domain errors history.keeping history.places store"),
    "lite_llm_chat.history.titles": _ours(
        "domain errors answering.asides catalog history.naming providers.base store"
    ),
    "lite_llm_chat.exporters": _ours("domain errors exporters files.uploads store"),
    "lite_llm_chat.housekeeping": _ours("engine errors history.keeping store"),
    "lite_llm_chat.backups": _ours("errors store"),
    "lite_llm_chat.asking.prompts": _ours("domain"),
    "lite_llm_chat.asking.transcript": _ours("domain errors"),
    "lite_llm_chat.asking.briefs": _ours(
        "domain errors catalog asking.context asking.forms asking.prompts tools.base"
    ),
    "lite_llm_chat.asking.manners": _ours("domain catalog"),
    "lite_llm_chat.asking.turns": _ours(
        "domain errors asking.briefs asking.manners catalog asking.prompts asking.transcript"
        " tools.base store"
    ),
    "lite_llm_chat.asking.again": _ours("domain errors asking.briefs asking.turns store"),
    "lite_llm_chat.answering.approvals": _ours(
        "domain errors engine eventlog providers.base store"
        " answering.rounds asking.briefs asking.turns"
    ),
    "lite_llm_chat.asking.cuts": _ours("errors store"),
    "lite_llm_chat.answering.asides": _ours("domain errors providers.base store"),
    "lite_llm_chat.answering.summaries": _ours(
        "domain errors answering.asides asking.prompts providers.base store"
    ),
    "lite_llm_chat.history.copies": _ours("domain errors history.keeping store"),
    "lite_llm_chat.history.leaves": _ours("domain errors asking.turns store"),
    "lite_llm_chat.provider_states": _ours("answering.rest catalog providers.base"),
    "lite_llm_chat.chat": _ours(
        "domain errors catalog engine eventlog provider_states providers.base store tail"
        " answering.run answering.summaries asking.again asking.briefs asking.cuts asking.forms"
        " asking.turns history.titles"
    ),
    "lite_llm_chat.history": (),
    "lite_llm_chat.search": _ours("domain errors search store"),
    "lite_llm_chat.api": _ours(
        "domain errors answering.approvals asking.manners backups catalog chat exporters history"
        " model_lists prices files.uploads search.current search.finding temporary usage store api"
    ),
    "lite_llm_chat.temporary": _ours(
        "domain errors answering.approvals answering.attempts answering.run catalog chat engine"
        " eventlog history.keeping history.trash providers.base store tools.base"
    ),
    "lite_llm_chat.importers.reading": _ours("importers.frames"),
    "lite_llm_chat.importers": _ours("domain store.codec importers"),
    "lite_llm_chat.history.importing": _ours("domain stamps importers.base importers.own store"),
    "lite_llm_chat.history.reports": _ours("history.importing"),
    "lite_llm_chat.history.taking": _ours(
        "domain errors files.uploads history.importing history.reports importers.base"
        " importers.frames importers.own store"
    ),
    "lite_llm_chat.history.imports": _ours(
        "errors stamps catalog files.uploads history.importing history.reports history.taking"
        " importers.reading store"
    ),
    "lite_llm_chat.drain": _ours("engine eventlog"),
    "lite_llm_chat.assembly": _ours(
        "domain errors stamps config prices providers store catalog model_lists eventlog engine"
        " chat api.deps api.slow drain exporters history housekeeping backups temporary tools"
        " answering asking files search.upkeep assembly"
    ),
    "lite_llm_chat.app": _ours("config errors observe api assembly.server"),
    "lite_llm_chat.web": (),
    "lite_llm_chat.cli": _ours("errors cli"),
    "lite_llm_chat.cli.serve": _ours("app config errors web"),
    "lite_llm_chat.cli.reach": _ours("config cli.client cli.trouble"),
    "lite_llm_chat.cli.backup": _ours("config store cli"),
    "lite_llm_chat.cli.restore": _ours("config store cli"),
    "lite_llm_chat.cli.doctor": _ours("config errors store cli"),
    "lite_llm_chat.cli.machine": _ours("config store cli"),
    "lite_llm_chat.cli.vendors": _ours("assembly.unpacked config errors providers tools cli"),
    "main": _ours("cli"),
    "standins": ("standins",),
    "bench": ("bench",),
}

# (path, what it imports inside a function): an optional extra, or a heavy library needed once.
MAY_IMPORT_INSIDE: tuple[Place, ...] = (
    ("lite_llm_chat/prices/listed.py", "genai_prices"),
    ("lite_llm_chat/assembly/unpacked.py", "lite_llm_chat.tools.mcp_client"),
    ("lite_llm_chat/providers/local.py", "xllamacpp"),
    ("lite_llm_chat/store/migrate.py", "alembic"),
    ("lite_llm_chat/store/migrate.py", "alembic.config"),
)

# (path, function): what imports by a name that it is given, and so is seen by no other rule.
IMPORT_BY_NAME: tuple[Place, ...] = (
    ("lite_llm_chat/cli/commands.py", "load"),  # a command's module, from its table
    ("lite_llm_chat/cli/commands.py", "application"),  # for `uvicorn main:app`
    ("lite_llm_chat/cli/commands.py", "version"),
    ("lite_llm_chat/api/rooms.py", "_imported"),  # routes that somebody comes for, from app.py
)

# (path, function): what one answer's defect may do to the tasks that all answers need. A provider's
# stream needs no fence: the engine looks at its task's outcome (decision 0014). A tool's server
# may raise whatever its library does: a failed result, and the connection is made anew.
FENCES: tuple[Place, ...] = (
    ("lite_llm_chat/eventlog.py", "EventLog._flush"),
    ("lite_llm_chat/eventlog.py", "EventLog._give_up"),
    ("lite_llm_chat/store/database.py", "_attempt"),
    ("lite_llm_chat/tools/mcp_client.py", "Connection.serve"),
    ("lite_llm_chat/tools/mcp_client.py", "Connection.call"),
)

HOMES: dict[str, tuple[str, ...]] = {
    "fastapi": _ours("api app assembly.server"),
    "starlette": _ours("api app"),
    "fastapi_offline": _ours("api app"),
    "sqlalchemy": _ours("store"),
    "alembic": _ours("store"),
    "aiohttp": (),
    "aiohappyeyeballs": _ours("providers.pool"),
    "genai_prices": _ours("prices.listed"),
    "mcp": _ours("tools.mcp_client"),
    "jsonschema": _ours("tools.mcp_client"),
    "referencing": _ours("tools.mcp_client"),
    "httpx2": _ours("tools.mcp_client"),
    "markdown_it": _ours("cli.markdown exporters"),
    "pypdf": _ours("files.pdf_text"),
    "httptools": _ours("providers.http1 web"),
    "rich": _ours("cli"),
}

MAY_READ_ENVIRONMENT = ("lite_llm_chat/config.py",)
