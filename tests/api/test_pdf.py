"""The text of PDFs, read beside the server: bounds hold whatever a file is."""

from __future__ import annotations

import io
import resource
import zlib
from pathlib import Path

import pytest
from pypdf import PdfReader as Reader
from pypdf import PdfWriter

from lite_llm_chat.files import pdf_text
from lite_llm_chat.files.pdf import Bounds, PdfReader
from lite_llm_chat.files.sniff import Seen

from .attach import pdf

USUAL = Bounds()


async def read(folder: Path, data: bytes, bounds: Bounds = USUAL) -> Seen:
    path = folder / "a.pdf"
    path.write_bytes(data)
    return await PdfReader(bounds).read(path)


def encrypted(password: str) -> bytes:
    writer = PdfWriter(clone_from=Reader(io.BytesIO(pdf("secret"))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


async def test_text_is_read_page_by_page(tmp_path: Path) -> None:
    what = await read(tmp_path, pdf("one", "two"))
    assert what == Seen("pdf", "application/pdf", "one\n\ntwo")


async def test_an_encrypted_one_is_read_only_if_it_needs_no_password(tmp_path: Path) -> None:
    what = await read(tmp_path, encrypted("a password"))
    assert (what.text, what.note) == (None, "it is encrypted, so its text cannot be read")
    assert (await read(tmp_path, encrypted(""))).text == "secret"


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7",
        b"%PDF-1.7\n" + bytes(range(256)) * 50,
        pdf("a")[:-200],
        pdf("a").replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]"),
        pdf("a").replace(b"/Kids[5 0 R]", b"/Kids[9 9 R]"),
        pdf("a").replace(b"/Pages 2 0 R", b"/Pages 1 0 R"),
        pdf("a").replace(b"/Length", b"/Filter/FlateDecode/Length"),
    ],
)
async def test_a_broken_one_is_a_note_or_a_text_and_never_an_error(
    tmp_path: Path, data: bytes
) -> None:
    what = await read(tmp_path, data)
    assert what.kind == "pdf"
    assert (what.text is None) == (what.note is not None)


async def test_pages_and_characters_are_bound(tmp_path: Path) -> None:
    data = pdf("one", "two", "three")
    few = await read(tmp_path, data, Bounds(pages=2))
    assert (few.text, few.note) == ("one\n\ntwo", "only the first 2 of its 3 pages are here")
    short = await read(tmp_path, data, Bounds(chars=6))
    assert (short.text, short.note) == ("one\n\nt", "only its first 6 characters are here")


async def test_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    what = await read(tmp_path, pdf("", " "))
    assert (what.text, what.note) == (None, "it holds no text, only pictures perhaps")


async def test_who_takes_too_long_is_ended(tmp_path: Path) -> None:
    what = await read(tmp_path, pdf("a"), Bounds(seconds=0.001))
    assert (what.text, what.note) == (None, "reading it takes longer than it may")


async def test_what_needs_too_much_memory_is_not_read(tmp_path: Path) -> None:
    bomb = zlib.compress(zlib.compress(bytes(400_000_000)))
    stream = b"/Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n%s\nendstream" % (
        len(bomb),
        bomb,
    )
    data = pdf("a")
    start = data.index(b"/Length")
    end = data.index(b"endstream") + len(b"endstream")
    what = await read(tmp_path, data[:start] + stream + data[end:])
    assert what.text is None
    assert what.note is not None
    large = pdf("a") + b"%" * 8_000_000
    what = await read(tmp_path, large, Bounds(memory_bytes=1_000_000))
    assert (what.text, what.note) == (None, "reading it takes more memory than it may have")


def test_a_bound_that_the_system_refuses_does_not_take_the_others_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: dict[int, tuple[int, int]] = {}

    def refuse_memory(kind: int, limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")  # as macOS says it
        taken[kind] = limits

    monkeypatch.setattr(resource, "setrlimit", refuse_memory)
    pdf_text.bound(1, 2)
    assert taken == {resource.RLIMIT_CPU: (2, 2), resource.RLIMIT_FSIZE: (0, 0)}
