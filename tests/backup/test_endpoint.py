"""Backups over HTTP: made beside the running server, listed, sent away, put back elsewhere.

product ── POST /backups ─▶ tmp_path/backups ── GET /backups/{name} ─▶ a tar ─▶ restored ─▶ the same
"""

from __future__ import annotations

import asyncio
import io
import resource
import sqlite3
import tarfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat import backups, stamps
from lite_llm_chat.api import backups as routes
from lite_llm_chat.backups import Backups
from lite_llm_chat.errors import StartupError
from lite_llm_chat.store import backup
from lite_llm_chat.store.backup_whole import Sources, back_up_whole
from lite_llm_chat.store.tables import REVISION
from standins.behaviours import Stall
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.durability import oracle

from .served import fetched, ids, inside, listed, made, modes, names, put, until, upload

# ── made ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_backup_is_made_while_an_answer_runs_and_is_whole(
    product: Product, upstream: DeepSeekStandIn, folder: Path
) -> None:
    upstream.play(Stall(after_tokens=2))
    stream = await product.ask("say: one two three four")
    await stream.until("content")
    one = await made(product)
    assert one["name"].startswith("manual-")
    assert (one["kind"], one["verified"], one["revision"]) == ("manual", True, REVISION)
    assert (one["files"], one["missing_files"]) == (0, 0)
    assert await listed(product) == {"backups": [one], "running": None, "last_error": None}
    path = folder / one["name"]
    assert path.stat().st_size == one["size_bytes"]
    assert modes(folder, path) == [0o700, 0o600]
    assert oracle.findings(path, at_rest=False) == []
    assert len(ids(path)) == 1
    stream.leave()


async def test_a_backup_that_takes_long_is_told_and_a_second_one_refused(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE_S", 0)
    status, running = await product.call("POST", "/backups")
    assert (status, running["kind"], running["size_bytes"]) == (202, "manual", 0)
    status, refused = await product.call("POST", "/backups")
    assert (status, refused["code"]) == (409, "backup_running")
    assert (await listed(product))["running"] == running
    assert len((await until(product, lambda found: not found["running"]))["backups"]) == 1


async def test_two_of_one_second_have_names_of_their_own(product: Product) -> None:
    taken = [(await made(product))["name"] for _ in range(3)]
    assert len(set(taken)) == 3
    assert await names(product) == taken[::-1]


async def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    product: Product, folder: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file, file:
        row = ("a title" * 30, "deepseek", "deepseek-chat", "2026-01-01", "2026-01-01")
        file.executemany(
            "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [row] * 1_000,
        )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        status, refused = await product.call("POST", "/backups")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (status, refused["code"]) == (503, "backup_failed")
    assert refused["detail"].startswith("the disk has no room for a backup")
    found = await listed(product)
    assert (found["backups"], found["last_error"]["detail"]) == ([], refused["detail"])
    assert inside(folder) == ["files"]
    assert (await product.call("GET", "/health/ready"))[0] == 200
    await made(product)
    assert (await listed(product))["last_error"] is None


async def test_a_folder_that_is_none_is_a_sentence_without_a_path(
    product: Product, folder: Path
) -> None:
    put(folder, "a file")
    status, refused = await product.call("POST", "/backups")
    assert (status, refused["code"]) == (503, "backup_failed")
    assert "check BACKUP_DIR" in refused["detail"]
    assert str(folder) not in refused["detail"]


async def test_a_stop_ends_a_backup_and_leaves_nothing_of_it(
    product: Product, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE_S", 0)
    monkeypatch.setattr(backup, "STEP_INSTRUCTIONS", 10)
    assert (await product.call("POST", "/backups"))[0] == 202
    await product.stop()
    assert inside(folder) == ["files"]
    put(folder / "manual-20260102T030405Z.db.part", "of a killed server")
    await product.start()
    monkeypatch.undo()
    one = await made(product)
    assert inside(folder) == ["files", one["name"]]


# ── uploaded files ────────────────────────────────────────────────────────────────────────────


async def test_uploaded_files_are_in_a_backup_without_taking_room_twice(
    product: Product, folder: Path, tmp_path: Path
) -> None:
    file_id = await upload(product, b"what was uploaded")
    one = await made(product)
    assert (one["files"], one["missing_files"]) == (1, 0)
    assert (folder / "files" / file_id).samefile(tmp_path / "uploads" / file_id)
    assert (await product.call("DELETE", f"/files/{file_id}"))[0] == 204
    assert (folder / "files" / file_id).read_bytes() == b"what was uploaded"
    second = await made(product)
    assert second["files"] == 0
    assert (folder / "files" / file_id).exists(), "the first one needs it still"
    assert (await product.call("DELETE", f"/backups/{one['name']}"))[0] == 204
    assert not (folder / "files" / file_id).exists()
    assert await names(product) == [second["name"]]


async def test_on_another_disk_uploaded_files_are_copied(
    product: Product, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    file_id = await upload(product, b"far away")
    monkeypatch.setattr("os.link", refuse)
    assert (await made(product))["missing_files"] == 0
    copy = folder / "files" / file_id
    assert copy.read_bytes() == b"far away"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not copy.samefile(tmp_path / "uploads" / file_id)


async def test_bytes_that_are_gone_are_counted_and_stop_no_backup(
    product: Product, tmp_path: Path
) -> None:
    file_id = await upload(product, b"soon gone")
    (tmp_path / "uploads" / file_id).unlink()
    one = await made(product)
    assert (one["verified"], one["files"], one["missing_files"]) == (True, 1, 1)


async def test_nothing_is_swept_while_a_copy_cannot_be_read(product: Product, folder: Path) -> None:
    file_id = await upload(product, b"precious")
    one = await made(product)
    path = folder / one["name"]
    path.write_bytes(path.read_bytes()[:9000])
    assert not (await listed(product))["backups"][0]["verified"]
    await product.call("DELETE", f"/files/{file_id}")
    await made(product)
    assert (folder / "files" / file_id).exists()
    status, refused = await product.call("GET", f"/backups/{one['name']}")
    assert (status, refused["code"]) == (409, "backup_damaged")


# ── sent away ─────────────────────────────────────────────────────────────────────────────────


async def test_a_backup_is_sent_as_a_tar_with_its_files(product: Product) -> None:
    small, large = await upload(product, b"small"), await upload(product, b"large" * 200_000)
    one = await made(product)
    raw = await fetched(product, one["name"])
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        sizes = {member.name: member.size for member in tar}
        assert sizes == {
            one["name"]: one["size_bytes"],
            f"files/{small}": 5,
            f"files/{large}": 1_000_000,
        }
        packed = tar.extractfile(f"files/{large}")
        assert packed is not None
        assert sha256(packed.read()).hexdigest() == large


@pytest.mark.parametrize(
    "name", ["none.db", "..%2Fchat.db", "files", "chat.db", "%2e%2e%2fchat.db", "manual-1.db%00"]
)
async def test_only_what_is_listed_can_be_named(product: Product, name: str) -> None:
    await made(product)
    for method in ("GET", "DELETE"):
        status, refused = await product.call(method, f"/backups/{name}")
        assert (status, refused["code"]) in [(404, "backup_not_found"), (404, "not_found")]
    assert len(await names(product)) == 1


async def test_a_link_is_no_backup(product: Product, folder: Path, tmp_path: Path) -> None:
    put(folder / "other.txt", "not ours")
    (folder / "manual-20260102T030405Z.db").symlink_to(tmp_path / "chat.db")
    assert await names(product) == []


async def test_one_can_be_deleted_while_another_is_made(
    product: Product, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await upload(product, b"what was uploaded")
    one = await made(product)
    await product.call("DELETE", f"/files/{file_id}")
    held = asyncio.Event()
    loop, copy = asyncio.get_running_loop(), back_up_whole

    def hold(*args: Any, **named: Any) -> Any:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
        return copy(*args, **named)

    monkeypatch.setattr(backups, "back_up_whole", hold)
    monkeypatch.setattr(routes, "PATIENCE_S", 0)
    assert (await product.call("POST", "/backups"))[0] == 202
    assert (await product.call("DELETE", f"/backups/{one['name']}"))[0] == 204
    assert (folder / "files" / file_id).exists(), "nothing is swept meanwhile"
    held.set()
    found = await until(product, lambda found: not found["running"])
    assert len(found["backups"]) == 1
    assert not (folder / "files" / file_id).exists()


def test_uploads_are_never_in_the_folder_that_is_swept(tmp_path: Path) -> None:
    sources = Sources(tmp_path / "chat.db", tmp_path / "backups" / "files")
    with pytest.raises(StartupError, match="choose another BACKUP_DIR"):
        Backups(sources, tmp_path / "backups", 7, stamps.now)
