"""A large archive takes no more memory than a small one."""

from __future__ import annotations

from bench import imports


async def test_an_archive_is_imported_in_little_memory() -> None:
    figures = await imports.measure(megabytes=25)
    assert figures.status == "completed", figures.line()
    assert figures.messages > 10_000, figures.line()
    # 300 MB is promised of an archive of a gigabyte; memory that grew with it would show here.
    assert figures.peak_mb < 180, figures.line()
