"""Backups that the server makes by itself: when it is time, and none too many.

newest scheduled one older than BACKUP_EVERY_HOURS ─▶ another one ─▶ BACKUP_KEEP of them stay
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.api.conftest import Launch
from tests.conftest import Product

from .served import Json, ago, inside, listed, made, names, names_of, put, until


async def until_made(product: Product, count: int) -> None:
    """Wait until as many were made that are not there now."""
    seen: set[str] = set()

    def wanted(found: Json) -> bool:
        seen.update(one["name"] for one in found["backups"])
        return len(seen) >= count

    await until(product, wanted)


async def test_backups_by_the_clock_are_made_and_the_oldest_go(launch: Launch) -> None:
    often = await launch(backup_every_hours=1e-9, backup_keep=2)
    by_hand = await made_between(often)
    await until_made(often, 6)
    await often.stop()
    often.settings.backup_every_hours = 0
    await often.start()
    found = (await listed(often))["backups"]
    assert [one["kind"] for one in found].count("scheduled") == 2
    assert by_hand in [one["name"] for one in found]
    assert all(one["verified"] for one in found)


async def made_between(product: Product) -> str:
    """One by hand, between those by the clock."""
    while True:
        status, body = await product.call("POST", "/backups")
        if status == 201:
            return str(body["name"])
        assert (status, body["code"]) == (409, "backup_running")


async def test_one_that_failed_by_the_clock_is_shown_and_takes_no_good_one_away(
    launch: Launch, folder: Path
) -> None:
    product = await launch(backup_every_hours=1e-9, backup_keep=1)
    await until_made(product, 1)
    await product.stop()
    await asyncio.to_thread(shutil.rmtree, folder / "files")
    before = inside(folder)
    assert len(before) == 1
    put(folder / "files", "no folder")
    await product.start()
    error = (await until(product, lambda found: found["last_error"]))["last_error"]
    assert error["kind"] == "scheduled"
    assert "check BACKUP_DIR" in error["detail"]
    assert inside(folder) == ["files", *before]


async def test_one_that_a_wrong_clock_dated_does_not_hold_up_the_next(
    product: Product, folder: Path
) -> None:
    one = await made(product)
    await product.stop()
    (folder / one["name"]).rename(folder / f"scheduled-{ago(-48):%Y%m%dT%H%M%SZ}.db")
    product.settings.backup_every_hours = 1
    await product.start()
    await until(product, lambda found: len(found["backups"]) == 2)


async def test_an_old_one_stays_until_a_newer_good_one_is_there(
    launch: Launch, folder: Path
) -> None:
    product = await launch(backup_keep=1)
    good = await made(product)
    await product.stop()
    old, bad = (f"scheduled-{ago(hours):%Y%m%dT%H%M%SZ}.db" for hours in (3, 2))
    (folder / good["name"]).rename(folder / old)
    (folder / bad).write_bytes((folder / old).read_bytes()[:9000])
    await product.start()
    assert [(one["name"], one["verified"]) for one in (await listed(product))["backups"]] == [
        (bad, False),
        (old, True),
    ]
    await made(product)
    assert {old, bad} <= set(await names(product))
    product.settings.backup_every_hours = 8760
    await product.restart()
    assert {old, bad} <= set(await names(product)), "the newest one is not old enough"
    product.settings.backup_every_hours = 1
    await product.restart()
    found = await until(product, lambda found: not {old, bad} & {*names_of(found)})
    assert sorted(one["kind"] for one in found["backups"]) == ["manual", "scheduled"]
