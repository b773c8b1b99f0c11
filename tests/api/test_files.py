"""Files: kept under their digest, served as attachments that no browser runs."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import hypothesis
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from lite_llm_chat.store.tables import files
from tests.conftest import Product
from tests.durability.processes import names_in

from .attach import ask_about, png, upload
from .conftest import Launch
from .truth import send


def drawn(strategy: st.SearchStrategy[bytes], count: int) -> list[bytes]:
    """Some examples of a strategy, the small ones among them."""
    found: list[bytes] = []

    @hypothesis.settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(one: bytes) -> None:
        found.append(one)

    collect()
    return found


async def test_an_uploaded_file_is_this_object_and_comes_back_unchanged(product: Product) -> None:
    data = png(3, 2) + bytes(range(256)) * 2000
    reply = await upload(product, data, "picture.png", "text/html")
    assert reply.status == 200
    digest = hashlib.sha256(data).hexdigest()
    shown = reply.json
    assert shown.pop("created_at").endswith("Z")
    assert shown == {
        "id": digest,
        "url": f"/api/v1/files/{digest}",
        "name": "picture.png",
        "media_type": "image/png",
        "size_bytes": len(data),
        "kind": "image",
        "note": None,
    }
    kept = await send(product, "GET", reply.json["url"])
    assert (kept.status, kept.body) == (200, data)
    assert kept.headers["Content-Type"] == "image/png"
    assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert kept.headers["Content-Disposition"] == 'attachment; filename="picture.png"'
    assert kept.headers["Content-Security-Policy"].startswith("sandbox")


async def test_a_file_whose_bytes_are_gone_is_not_found(product: Product, tmp_path: Path) -> None:
    reply = await upload(product, b"soon gone")
    (tmp_path / "uploads" / reply.json["id"]).unlink()
    gone = await send(product, "GET", reply.json["url"])
    assert gone.verdict == (404, "file_not_found")


async def test_a_page_is_never_run_by_a_browser(product: Product) -> None:
    reply = await upload(product, b"<script>alert(1)</script>", "a.html", "text/html")
    kept = await send(product, "GET", reply.json["url"])
    assert kept.headers["Content-Disposition"].startswith("attachment")
    assert kept.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert kept.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_what_a_file_is_its_bytes_say_and_not_whoever_sends_it(product: Product) -> None:
    pages = b"<html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    for data, kind, media_type in (
        (pages[0], "text", "text/plain"),
        (pages[1], "text", "text/plain"),
        (png(1, 1), "image", "image/png"),
        (b"GIF89a" + b"\1\0\1\0" + pages[0], "image", "image/gif"),
        (b"MZ\x90\0\3", "other", "application/octet-stream"),
        (b"a\0b", "other", "application/octet-stream"),
        (png(0, 1), "other", "image/png"),
        (png(20_000, 1), "other", "image/png"),
        (b"\xff\xd8\xff", "other", "image/jpeg"),
    ):
        for claimed in ("image/svg+xml", "text/html", "image/jpeg"):
            reply = await upload(product, data, "x.png", claimed)
            assert (reply.json["kind"], reply.json["media_type"]) == (kind, media_type), data
            assert (reply.json["note"] is not None) == (kind == "other")


async def test_a_text_is_of_the_kind_that_its_name_says(product: Product) -> None:
    for name, media_type in (
        ("a.csv", "text/csv"),
        ("A.MD", "text/markdown"),
        ("a.json", "application/json"),
        ("a.py", "text/plain"),
        ("a.html", "text/plain"),
        ("csv", "text/plain"),
    ):
        reply = await upload(product, f"text of {name}".encode(), name, "application/x")
        assert (reply.json["kind"], reply.json["media_type"]) == ("text", media_type), name


async def test_a_link_in_the_upload_folder_leads_nowhere(product: Product, tmp_path: Path) -> None:
    reply = await upload(product, b"mine")
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    place = tmp_path / "uploads" / reply.json["id"]
    place.unlink()
    place.symlink_to(secret)
    refused = await send(product, "GET", reply.json["url"])
    assert refused.verdict == (404, "file_not_found")
    again = await upload(product, b"mine")
    assert (await send(product, "GET", again.json["url"])).body == b"mine"
    assert secret.read_text() == "not yours"


async def test_files_are_listed_page_by_page_the_newest_first(product: Product) -> None:
    ids = [(await upload(product, f"file {n}".encode())).json["id"] for n in range(5)]
    listed: list[str] = []
    after = ""
    while page := (await send(product, "GET", f"/api/v1/files?limit=2{after}")).json:
        listed += [one["id"] for one in page]
        after = f"&after={listed[-1]}"
    assert listed == ids[::-1]
    unknown = await send(product, "GET", f"/api/v1/files?after={'0' * 64}")
    assert unknown.verdict == (404, "file_not_found")


async def test_a_deleted_file_is_gone_with_its_bytes(product: Product, tmp_path: Path) -> None:
    reply = await upload(product, b"go away")
    assert (await send(product, "DELETE", reply.json["url"])).status == 204
    assert list((tmp_path / "uploads").iterdir()) == []
    for method in ("GET", "DELETE"):
        gone = await send(product, method, reply.json["url"])
        assert gone.verdict == (404, "file_not_found")
    assert (await upload(product, b"go away")).status == 200


async def test_a_file_of_another_owner_is_not_there(product: Product) -> None:
    reply = await upload(product, b"theirs")

    def give_away(conn: Connection) -> None:
        conn.execute(update(files).values(owner="somebody else"))

    await product.parts.database.write(give_away)
    for method in ("GET", "DELETE"):
        refused = await send(product, method, reply.json["url"])
        assert refused.verdict == (404, "file_not_found")
    assert (await send(product, "GET", "/api/v1/files")).json == []
    assert (await upload(product, b"theirs", "b.txt")).verdict == (404, "file_not_found")
    assert (await ask_about(product, [reply.json["id"]])).verdict == (404, "file_not_found")


async def test_any_bytes_come_back_unchanged(product: Product) -> None:
    heads = (b"", b"%PDF-1.7\n", png(1, 1), b"\xff\xfe", b"\xef\xbb\xbf", b"RIFF\0\0\0\0WEBP")
    anything = st.builds(bytes.__add__, st.sampled_from(heads), st.binary(max_size=300))
    for data in drawn(anything, 60):
        reply = await upload(product, data)
        assert reply.json["id"] == hashlib.sha256(data).hexdigest()
        assert (await send(product, "GET", reply.json["url"])).body == data


async def test_a_name_is_only_shown_and_never_a_path(product: Product, tmp_path: Path) -> None:
    names = {
        "../../etc/passwd": "passwd",
        "..\\..\\boot.ini": "boot.ini",
        "/etc/shadow": "shadow",
        "..": "file",
        ".": "file",
        "C:\\x\\": "file",
        "naïve 河 🙂.txt": "naïve 河 🙂.txt",
        "x" * 300 + ".txt": "x" * 255,
        "a'; DROP TABLE files --": "a'; DROP TABLE files --",
        " ": "file",
        "a\u202eb.txt": "ab.txt",
        "~/.ssh/id_rsa": "id_rsa",
        "..%2f..%2fx": "..%2f..%2fx",
    }
    for number, (given, shown) in enumerate(names.items()):
        reply = await upload(product, f"file {number}".encode(), given)
        assert (reply.status, reply.json["name"]) == (200, shown), given
        kept = await send(product, "GET", reply.json["url"])
        disposition = kept.headers["Content-Disposition"]
        assert disposition.startswith("attachment; filename"), given
        assert unquote(disposition).rstrip('"').endswith(shown), given
    assert all(len(path.name) == 64 for path in (tmp_path / "uploads").iterdir())


async def test_a_name_with_control_characters_is_shown_without_them(
    product: Product, tmp_path: Path
) -> None:
    for given in (b"a\0b.txt", b"../\x1b[2Ja\tb.txt"):
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + given
        body = head + b'"\r\n\r\n' + given + b"\r\n--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        reply = await send(product, "POST", "/api/v1/upload", body, headers)
        assert reply.status in (200, 400, 422), given
        if reply.status == 200:
            assert reply.json["name"].isprintable()
            assert "/" not in reply.json["name"]
    assert all(len(path.name) == 64 for path in (tmp_path / "uploads").iterdir())


async def test_the_same_bytes_are_kept_once(product: Product, tmp_path: Path) -> None:
    first = await upload(product, b"same", "one.txt")
    second = await upload(product, b"same", "two.txt")
    assert first.json["id"] == second.json["id"]
    assert len(list((tmp_path / "uploads").iterdir())) == 1


async def test_an_empty_file_is_a_file(product: Product) -> None:
    reply = await upload(product, b"")
    assert (reply.status, reply.json["size_bytes"]) == (200, 0)
    assert (await send(product, "GET", reply.json["url"])).body == b""


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    launch: Launch, tmp_path: Path
) -> None:
    product = await launch(max_upload_bytes=1000)
    assert (await upload(product, b"x" * 1000)).status == 200
    assert (await upload(product, b"x" * 1001)).verdict == (413, "file_too_large")
    assert (await upload(product, b"x" * 1_000_000)).verdict[0] == 413
    assert len(list((tmp_path / "uploads").iterdir())) == 1


async def test_a_file_may_be_larger_than_any_other_body(launch: Launch) -> None:
    product = await launch(max_body_bytes=1024, max_upload_bytes=100_000)
    assert (await upload(product, b"x" * 100_000)).status == 200


async def test_only_a_form_with_a_file_is_an_upload(product: Product) -> None:
    for data, media_type in (
        (b"{}", "application/json"),
        (b"x", "application/octet-stream"),
        (b"file=x", "application/x-www-form-urlencoded"),
        (b"", "text/plain"),
    ):
        headers = {"content-type": media_type}
        reply = await send(product, "POST", "/api/v1/upload", data, headers)
        assert reply.verdict == (415, "unsupported_media_type"), media_type
    form = aiohttp.FormData()
    form.add_field("other", b"x", filename="a.txt")
    assert (await send(product, "POST", "/api/v1/upload", form)).verdict[0] == 422
    text = aiohttp.FormData(default_to_multipart=True)
    text.add_field("file", "just text")
    assert (await send(product, "POST", "/api/v1/upload", text)).verdict[0] == 422


async def test_a_broken_form_is_refused(product: Product) -> None:
    for data in (b"", b"--x\r\n", b"--x\r\nnothing", b"garbage"):
        headers = {"content-type": "multipart/form-data; boundary=x"}
        reply = await send(product, "POST", "/api/v1/upload", data, headers)
        assert reply.verdict[0] in (400, 422), data
    no_boundary = {"content-type": "multipart/form-data"}
    reply = await send(product, "POST", "/api/v1/upload", b"x", no_boundary)
    assert reply.verdict[0] in (400, 422)


async def test_unknown_files_are_404_and_names_of_files_are_no_paths(product: Product) -> None:
    unknown = await send(product, "GET", f"/api/v1/files/{'0' * 64}")
    assert unknown.verdict == (404, "file_not_found")
    for name in ("x", "0" * 63, "G" * 64, "..%2f..%2fchat.db", "A" * 64):
        reply = await send(product, "GET", f"/api/v1/files/{name}")
        assert reply.verdict[0] in (404, 422), name


async def test_what_a_killed_server_left_of_an_upload_is_gone_after_a_start(
    product: Product, tmp_path: Path
) -> None:
    reply = await upload(product, b"whole", "notes.txt")
    await product.stop()
    folder = tmp_path / "uploads"
    left(folder / ".part-old", hours=2)
    left(folder / ".part-of-a-neighbour", hours=0)
    left(folder / "notes.part-1", hours=2)
    await product.start()
    assert names_in(folder) == [".part-of-a-neighbour", reply.json["id"], "notes.part-1"]


def left(path: Path, *, hours: int) -> None:
    """Half a file that was written last so long ago."""
    path.write_bytes(b"half")
    moment = time.time() - hours * 3600
    os.utime(path, (moment, moment))
