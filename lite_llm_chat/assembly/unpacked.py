"""Settings → the values that the parts are made of. Nothing is opened here, but tools.

    DEEPSEEK_API_KEY, ENDPOINTS_FILE, … ─▶ providers ─▶ catalog          RETENTION_DAYS ─▶ Keeping
    … _TIMEOUT_SECONDS, MAX_… ─▶ Policy

A setting that is wrong is a StartupError with its name.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from .. import prices, stamps
from ..answering.attempts import Policy
from ..asking import fallbacks
from ..catalog import Catalog
from ..chat import Stamps
from ..config import Settings, read_variables
from ..errors import Invalid, StartupError
from ..history.keeping import Keeping
from ..providers import endpoints, registry
from ..providers.base import Provider
from ..providers.pool import Pool
from ..providers.wire import Rest
from ..store.database import Database
from ..temporary import Bounds, Sources, Temporary
from ..tools.base import NoTools, Toolbox
from ..tools.config import read as read_servers


def providers_of(settings: Settings, pool: Pool, rest: Rest) -> dict[str, Provider]:
    """Every provider with these settings. Nothing is contacted. Raises StartupError."""
    key = settings.deepseek_api_key
    usual = Settings.model_fields["endpoints_file"].default
    own = endpoints.read(
        Path(settings.endpoints_file),
        registry.taken_ids(),
        required=settings.endpoints_file != usual,
    )
    return registry.build(
        registry.Parts(
            pool=pool,
            rest=rest,
            headers_timeout_s=settings.headers_timeout_seconds,
            deepseek_api_key=key.get_secret_value() if key else None,
            deepseek_base_url=settings.deepseek_base_url,
            local_enabled=settings.local_model == "auto",
            local_model_path=settings.local_model_path,
            local_context_tokens=settings.local_context_tokens,
            local_slots=settings.local_slots,
            variables=read_variables(registry.variables(own)),
            own=own,
        )
    )


def catalog_of(settings: Settings, providers: dict[str, Provider]) -> Catalog:
    """Who has which model, and who answers by default. Raises StartupError."""
    chosen = default_provider(settings)
    if chosen not in providers:
        raise StartupError(
            f"DEFAULT_PROVIDER is {chosen!r}, which nobody is: choose one of {', '.join(providers)}"
        )
    catalog = Catalog(
        {name: provider.models for name, provider in providers.items()},
        open_ended=frozenset(name for name, one in providers.items() if one.open_ended),
        default_provider=chosen,
    )
    try:
        catalog.fall_back(fallbacks.read(settings.fallback_models or ""))
    except Invalid as wrong:
        raise StartupError(f"FALLBACK_MODELS: {wrong.detail}") from None
    return catalog


def default_provider(settings: Settings) -> str:
    """Who answers when nobody is named."""
    return settings.default_provider or ("deepseek" if settings.deepseek_api_key else "local")


def wants_local(settings: Settings) -> bool:
    """The model on board is loaded at the start."""
    if settings.local_model == "off":
        return False
    return default_provider(settings) == "local" or settings.local_model_path is not None


def own_prices(settings: Settings) -> prices.Own:
    """The prices of PRICES_FILE. Raises StartupError."""
    usual = Settings.model_fields["prices_file"].default
    return prices.read(Path(settings.prices_file), required=settings.prices_file != usual)


async def toolbox_of(settings: Settings, stack: AsyncExitStack) -> Toolbox:
    """The tools of this server. They connect in the background."""
    usual = Settings.model_fields["tools_file"].default
    servers = read_servers(Path(settings.tools_file), required=settings.tools_file != usual)
    if not servers:
        return NoTools()
    try:
        from ..tools.mcp_client import McpTools
    except ModuleNotFoundError as missing:
        raise StartupError(
            f"{settings.tools_file} names servers, and the package {missing.name!r} for them is"
            " missing: pip install -r requirement-mcp.txt"
        ) from None
    toolbox = McpTools(servers)
    toolbox.start()
    stack.push_async_callback(toolbox.close)
    return toolbox


def policy_of(settings: Settings) -> Policy:
    """How long vendors may take, and how much."""
    return Policy(
        first_piece_s=settings.first_piece_timeout_seconds,
        idle_s=settings.idle_timeout_seconds,
        total_s=settings.total_timeout_seconds,
        answer_bytes=settings.max_answer_bytes,
        retries=settings.upstream_retries,
        retry_window_s=settings.upstream_retry_seconds,
        most_answers=settings.max_live_answers,
        most_rounds=settings.max_tool_rounds,
    )


def keeping_of(settings: Settings) -> Keeping:
    """How long sessions are kept."""
    return Keeping.of_days(settings.retention_days, settings.trash_days)


def temporary_of(
    settings: Settings,
    lasting: Database,
    who: tuple[Catalog, dict[str, Provider]],
    toolbox: Toolbox,
) -> Temporary:
    """Chats that are never written; nothing is opened yet."""
    sources = Sources(*who, policy_of(settings), toolbox, settings.flush_ms / 1000)
    bounds = Bounds(
        settings.max_temporary_chats,
        settings.max_temporary_bytes,
        timedelta(minutes=settings.temporary_minutes),
    )
    return Temporary(lasting, sources, bounds, Stamps(stamps.generation_id, stamps.now))
