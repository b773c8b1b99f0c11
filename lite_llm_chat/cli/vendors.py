"""What the doctor asks of those who answer: keys, lists of models, the model on board, the time.

settings ─▶ providers ─▶ ready? ─▶ Provider.listed (each within seconds) ─▶ findings
                            └──▶ the model on board is loaded, where it would be
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path

from ..assembly.unpacked import default_provider, own_prices, providers_of, wants_local
from ..config import Settings
from ..errors import LiteError, StartupError, UpstreamError
from ..providers.base import Provider
from ..providers.local import Local
from ..providers.pool import Pool
from ..tools.config import read as read_servers
from .client import Client
from .findings import Finding, fail, ok, warn
from .trouble import Trouble

PATIENCE_S = 10.0
SKEW_S = 120.0


def vendors(settings: Settings, *, online: bool) -> list[Finding]:
    """Everything about who answers. `online`: those that are ready are asked for their models,
    which costs nothing."""
    return asyncio.run(_vendors(settings, online=online))


async def _vendors(settings: Settings, *, online: bool) -> list[Finding]:
    pool = Pool(settings.connect_timeout_seconds)
    try:
        providers = providers_of(settings, pool, _no_rest)
        own_prices(settings)
        usual_tools = type(settings).model_fields["tools_file"].default
        required = settings.tools_file != usual_tools
        read_servers(Path(settings.tools_file), required=required)
    except StartupError as error:
        await pool.close()
        return [fail("own files", error.detail, "mend that file, or its setting")]
    try:
        findings = [_usual(settings, providers)]
        ready = [one for one in providers.values() if one.readiness().ready]
        remote = [one for one in ready if not isinstance(one, Local)]
        if online:
            default = default_provider(settings)
            findings += await asyncio.gather(*(_listed(one, default) for one in remote))
        elif remote:
            findings.append(ok("keys", f"set for {', '.join(one.id for one in remote)}"))
        local = providers["local"]
        if isinstance(local, Local):
            findings.append(await _on_board(settings, local))
        return findings
    finally:
        await pool.close()


async def _no_rest() -> None:
    """What an answer does between two chunks; there is no answer here."""


def _usual(settings: Settings, providers: dict[str, Provider]) -> Finding:
    """Who answers when nobody is named."""
    chosen = default_provider(settings)
    if chosen not in providers:
        mend = f"choose one of {', '.join(providers)}"
        return fail("who answers", f"DEFAULT_PROVIDER is {chosen!r}, which nobody is", mend)
    readiness = providers[chosen].readiness()
    if not readiness.ready:
        return fail("who answers", f"{chosen} cannot answer", readiness.note)
    return ok("who answers", chosen)


async def _listed(provider: Provider, default: str) -> Finding:
    """Whether a vendor takes the key. Who does not answer by default is a warning only."""
    bad = fail if provider.id == default else warn
    try:
        async with asyncio.timeout(PATIENCE_S):
            models = await provider.listed()
    except UpstreamError as error:
        return bad(provider.id, "the key is set, and it does not answer", error.detail)
    except TimeoutError:
        mend = "check the network, a proxy, or the base URL"
        return bad(provider.id, f"no answer within {PATIENCE_S:.0f} s", mend)
    if models is None:
        return ok(provider.id, "the key is set; it has no list of models to try it with")
    return ok(provider.id, f"answers, {len(models)} models")


async def _on_board(settings: Settings, local: Local) -> Finding:
    """Load the model on board, where a server would do so."""
    what = "model on board"
    readiness = local.readiness()
    if not wants_local(settings):
        said = "not loaded at the start" if readiness.ready else "not needed"
        return ok(what, said)
    if not readiness.ready:
        return warn(what, "it cannot answer", readiness.note)
    try:
        await local.load()
        readiness = local.readiness()
    finally:
        await local.close()
    if readiness.ready:
        return ok(what, f"{local.models[0].name} loads")
    return fail(what, "it does not load", readiness.note)


def vendor_clock(settings: Settings) -> Iterator[Finding]:
    """This machine's clock against that of DeepSeek, if it is set up: signatures, prices and limits
    go by it."""
    if not settings.deepseek_api_key:
        return
    try:
        with Client(settings.deepseek_base_url).open("HEAD", "/", timeout_s=PATIENCE_S) as response:
            told = response.getheader("Date")
    except (Trouble, OSError, HTTPException, LiteError):
        return  # whether it answers is said elsewhere
    try:
        theirs = parsedate_to_datetime(told or "")
    except ValueError:
        return
    skew_s = (theirs - datetime.now(UTC)).total_seconds()
    if abs(skew_s) > SKEW_S:
        said = f"it is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} DeepSeek's"
        yield warn("clock", said, "set this machine's clock, and keep it by NTP")
