"""The rules of the list of models, one by one: what is merged, how long it lives, who ends it.

rows + list ─▶ merged      ModelLists ◀─ a provider whose lists are scripted, a clock that is set
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from lite_llm_chat.catalog import Catalog, merged
from lite_llm_chat.domain import Model
from lite_llm_chat.errors import Invalid, UpstreamError
from lite_llm_chat.model_lists import RETRY_S, ModelLists
from lite_llm_chat.providers.base import Readiness
from tests.heart.world import Vendor as Scripted


def row(model_id: str, window: int = 0, *, alias_of: str | None = None) -> Model:
    return Model(model_id, model_id.upper(), "acme", window, window, "A row", alias_of=alias_of)


def seen(model_id: str, window: int = 0) -> Model:
    return Model(model_id, "Its name", "acme", window, window, "A list's", listed="live")


def test_rows_come_first_and_their_facts_win() -> None:
    rows = (row("b", 7), row("a"), row("c", 3), row("old", 7, alias_of="b"), row("o", alias_of="c"))
    models = list(merged(rows, (seen("z", 1), seen("a", 5), seen("b", 9), seen("d"), seen("o"))))
    assert [(m.id, m.name, m.context_length, m.listed) for m in models] == [
        ("b", "B", 7, "live"),
        ("a", "A", 5, "live"),
        ("c", "C", 3, "known"),
        ("old", "OLD", 7, "live"),
        ("o", "O", 0, "known"),
        ("d", "Its name", 0, "live"),
        ("z", "Its name", 1, "live"),
    ]
    assert models[1].max_output_tokens == 5


@pytest.mark.parametrize(
    ("model_id", "listed"),
    [("m-20251001", "live"), ("m-2025-10-01", "live"), ("m-2", "known"), ("m-20251001-x", "known")],
)
def test_a_date_behind_a_name_is_no_other_model(model_id: str, listed: str) -> None:
    assert [one.listed for one in merged((row("m"),), (seen(model_id),))] == [listed, "live"]


class Lister(Scripted):
    """A provider whose lists are scripted: one for each time it is asked; an error is raised."""

    id = "acme"
    ready = True

    def __init__(self, *lists: Sequence[Model] | Exception | None) -> None:
        self.lists = list(lists)
        self.asked = 0

    def readiness(self) -> Readiness:
        return Readiness(self.ready, "")

    async def listed(self) -> Any:
        self.asked += 1
        answer = self.lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Watch:
    """A clock that is set."""

    s = 1000.0

    def __call__(self) -> float:
        return self.s


def keeping(provider: Lister, watch: Watch, lifetime_s: float = 3600) -> tuple[Catalog, ModelLists]:
    catalog = Catalog({"acme": ()}, open_ended=frozenset({"acme"}), default_provider="acme")
    lists = ModelLists(catalog, {"acme": provider}, lifetime_s=lifetime_s, clock=watch)
    return catalog, lists


FAILURE = UpstreamError("acme is away", code="upstream_unreachable")


async def test_a_list_lives_as_long_as_it_may_and_a_failure_a_minute() -> None:
    provider, watch = Lister([seen("a")], FAILURE, [seen("b")]), Watch()
    catalog, lists = keeping(provider, watch)
    for later_s, left, known in [
        (0, 2, "a"),
        (3599, 2, "a"),
        (1, 1, "a"),  # fails: the old list stays
        (RETRY_S - 1, 1, "a"),
        (1, 0, "b"),
        (3599, 0, "b"),
    ]:
        watch.s += later_s
        await lists.refresh()
        assert (len(provider.lists), catalog.choose(None, None).served) == (left, known)


async def test_a_failure_is_not_kept_longer_than_a_list() -> None:
    provider, watch = Lister(FAILURE, [seen("b")]), Watch()
    _, lists = keeping(provider, watch, lifetime_s=5)
    await lists.refresh()
    watch.s += 5
    await lists.refresh("acme")
    assert provider.lists == []


async def test_an_empty_list_is_a_list_and_none_is_asked_for_no_more() -> None:
    provider, watch = Lister([seen("a")], [], None), Watch()
    catalog, lists = keeping(provider, watch, lifetime_s=5)
    for _ in range(2):
        await lists.refresh()
        watch.s += 5
    assert catalog.list() == []
    with pytest.raises(Invalid):
        catalog.choose(None, None)
    for _ in range(3):
        await lists.refresh()
        watch.s += 1e9
    assert provider.asked == 3


async def test_a_defect_of_one_list_is_told_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider, watch = Lister(ZeroDivisionError("oops"), [seen("b")]), Watch()
    catalog, lists = keeping(provider, watch)
    log = logging.getLogger("lite_llm_chat.models")
    log.addHandler(caplog.handler)
    try:
        await lists.refresh()
    finally:
        log.removeHandler(caplog.handler)
    assert "the list of acme failed by a defect" in caplog.text
    watch.s += RETRY_S
    await lists.refresh()
    assert catalog.choose("acme", None).served == "b"


async def test_a_caller_that_leaves_ends_no_request_of_others() -> None:
    gate = asyncio.Event()

    class Slow(Lister):
        async def listed(self) -> Any:
            await gate.wait()
            return [seen("a")]

    catalog, lists = keeping(Slow(), Watch())
    caller = asyncio.create_task(lists.refresh())
    other = asyncio.create_task(lists.refresh())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    gate.set()
    await other
    assert catalog.choose(None, None).served == "a"
    await lists.close()


async def test_only_what_was_just_asked_for_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lite_llm_chat.model_lists.PATIENCE_S", 600.0)

    class Endless(Lister):
        async def listed(self) -> Any:
            await asyncio.Event().wait()

    class Other(Lister):
        id = "other"
        ready = False

    other, watch = Other([seen("a")]), Watch()
    models: dict[str, Sequence[Model]] = {"acme": (), "other": ()}
    catalog = Catalog(models, open_ended=frozenset(models), default_provider="acme")
    providers = {"acme": Endless(), "other": other}
    lists = ModelLists(catalog, providers, lifetime_s=3600, clock=watch)
    impatient = asyncio.create_task(lists.refresh())
    await asyncio.sleep(0)
    impatient.cancel()
    watch.s += 601
    other.ready = True
    async with asyncio.timeout(20):
        await lists.refresh()
    assert [model.id for model in catalog.list()] == ["a"]
    await lists.close()


async def test_close_ends_what_is_under_way_and_is_quiet() -> None:
    class Endless(Lister):
        async def listed(self) -> Any:
            await asyncio.Event().wait()

    catalog, lists = keeping(Endless(), Watch())
    caller = asyncio.create_task(lists.refresh())
    await asyncio.sleep(0)
    await lists.close()
    await caller
    assert catalog.list() == []


def catalog(default: str) -> Catalog:
    """A vendor with a row, one with another, and a server of one's own that lists nothing."""
    rows = {"acme": (row("a"),), "other": (row("b"),), "cellar": ()}
    return Catalog(rows, open_ended=frozenset(rows), default_provider=default)


@pytest.mark.parametrize(
    ("default", "model", "provider"),
    [
        ("acme", "a", "acme"),
        ("acme", "b", "other"),
        ("acme", "unheard-of", "acme"),
        ("cellar", "b", "cellar"),
        ("cellar", "unheard-of", "cellar"),
    ],
)
def test_a_model_without_a_provider_goes_to_whom_it_is_known_of(
    default: str, model: str, provider: str
) -> None:
    assert catalog(default).choose(None, model).provider == provider


def test_a_list_that_somebody_looked_at_sends_no_question_to_another_vendor() -> None:
    known = catalog("acme")
    known.learn("other", [seen("new")])
    assert known.choose(None, "new").provider == "acme"
    known.learn("acme", [seen("b")])
    assert known.choose(None, "b").provider == "acme"
