"""Files: kept under their digest, served as attachments that no browser runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import unquote

import aiohttp

from tests.conftest import Product

from .conftest import Launch
from .truth import Reply, send


async def upload(
    product: Product, data: bytes, name: str = "a.txt", media_type: str = "text/plain"
) -> Reply:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", data, filename=name, content_type=media_type)
    return await send(product, "POST", "/api/v1/upload", form)


async def test_an_uploaded_file_is_this_object_and_comes_back_unchanged(product: Product) -> None:
    data = bytes(range(256)) * 2000
    reply = await upload(product, data, "picture.png", "image/png")
    assert reply.status == 200
    digest = hashlib.sha256(data).hexdigest()
    assert reply.json == {
        "id": digest,
        "url": f"/api/v1/files/{digest}",
        "name": "picture.png",
        "media_type": "image/png",
        "size_bytes": len(data),
    }
    kept = await send(product, "GET", reply.json["url"])
    assert (kept.status, kept.body) == (200, data)
    assert kept.headers["Content-Type"] == "image/png"
    assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert kept.headers["Content-Disposition"] == 'attachment; filename="picture.png"'
    assert kept.headers["Content-Security-Policy"].startswith("sandbox")


async def test_a_file_whose_bytes_are_gone_is_not_found(product: Product) -> None:
    reply = await upload(product, b"soon gone")
    (product.parts.upload_dir / reply.json["id"]).unlink()
    gone = await send(product, "GET", reply.json["url"])
    assert gone.verdict == (404, "file_not_found")


async def test_a_page_is_never_run_by_a_browser(product: Product) -> None:
    reply = await upload(product, b"<script>alert(1)</script>", "a.html", "text/html")
    kept = await send(product, "GET", reply.json["url"])
    assert kept.headers["Content-Disposition"].startswith("attachment")
    assert kept.headers["Content-Security-Policy"].startswith("sandbox")


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
    }
    for number, (given, shown) in enumerate(names.items()):
        reply = await upload(product, f"file {number}".encode(), given)
        assert (reply.status, reply.json["name"]) == (200, shown), given
        kept = await send(product, "GET", reply.json["url"])
        disposition = kept.headers["Content-Disposition"]
        assert disposition.startswith("attachment; filename"), given
        assert unquote(disposition).rstrip('"').endswith(shown), given
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
