"""The simulated power cut keeps what is certain, loses the rest at times, and invents nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .power import Luck, image
from .shim import Name, Operation

DISK = Path("/disk")
MANY = range(200)


def op(name: Name, file: str = "a", offset: int = 0, data: bytes = b"") -> Operation:
    path = str(DISK) if file == "/" else str(DISK / file)
    return Operation(0.0, name, path, offset, data)


def images(*operations: Operation, base: bytes | None = b"") -> list[dict[str, bytes]]:
    """What many cuts leave of a file `a`."""
    before = {} if base is None else {"a": base}
    return [image(DISK, before, operations, Luck.of(random.Random(n))) for n in MANY]


def test_what_was_synced_is_always_there() -> None:
    found = images(op("write", data=b"old"), op("write", data=b"new"), op("sync"))
    assert all(one == {"a": b"new"} for one in found)


def test_what_was_not_synced_is_there_or_not_and_in_any_order() -> None:
    found = images(op("write", data=b"1"), op("sync"), op("write", data=b"2"),
                   op("write", offset=1, data=b"3"))  # fmt: skip
    assert {one["a"] for one in found} == {b"1", b"2", b"13", b"23"}


def test_a_write_is_torn_at_sectors_and_nowhere_else() -> None:
    found = {one["a"] for one in images(op("write", offset=500, data=b"x" * 600), base=bytes(1100))}
    sectors = {tuple(sorted({text[500:512], text[512:1024], text[1024:]})) for text in found}
    assert len(found) == 8
    assert all(set(part) in ({0}, {ord("x")}) for parts in sectors for part in parts)


def test_a_truncation_may_be_lost_until_it_is_synced() -> None:
    assert {one["a"] for one in images(op("truncate", offset=1), base=b"abc")} == {b"a", b"abc"}
    found = images(op("truncate", offset=1), op("sync"), base=b"abc")
    assert {one["a"] for one in found} == {b"a"}


@pytest.mark.parametrize("synced", [True, False])
def test_a_new_name_is_certain_once_its_folder_is_synced(synced: bool) -> None:
    new = [op("create"), op("write", data=b"x"), op("sync")]
    found = images(*new, *([op("sync", "/")] if synced else []), base=None)
    assert all(one.get("a", b"x") == b"x" for one in found)
    assert {"a" in one for one in found} == ({True} if synced else {True, False})


def test_a_removed_file_may_come_back_until_its_folder_is_synced() -> None:
    found = images(op("unlink"), base=b"x")
    assert {one.get("a") for one in found} == {b"x", None}
    assert all(one == {} for one in images(op("unlink"), op("sync", "/"), base=b"x"))


def test_a_file_made_anew_under_its_name_shares_nothing_with_the_old_one() -> None:
    again = (op("unlink"), op("create"), op("write", offset=2, data=b"!"), op("sync"))
    found = images(*again, op("sync", "/"), base=b"old")
    assert all(one == {"a": b"\0\0!"} for one in found)


def test_a_renamed_file_has_its_old_name_or_its_new_one() -> None:
    found = images(op("rename", data=b"/disk/b"), base=b"x")
    assert {tuple(one.items()) for one in found} == {(("a", b"x"),), (("b", b"x"),)}
