"""The text of one PDF, in a process of its own: a PDF is a program that strangers wrote.

    python -I pdf_text.py <memory bytes> <seconds> <pages> <characters>  < a.pdf
        ─▶ {"text": "…" or null, "note": "…" or null}

The only file that imports pypdf. It takes its bounds before it reads a byte, and whoever starts it
kills it when its time is up. It imports nothing of ours, so that it needs none of our memory.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from contextlib import suppress

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

try:
    import resource
except ImportError:  # Windows: time is the only bound there
    resource = None  # type: ignore[assignment]

ENCRYPTED = "it is encrypted, so its text cannot be read"

# What pypdf is known to raise for files that lie about themselves, beside its own errors.
_BROKEN = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


def bound(memory_bytes: int, seconds: int) -> None:
    """Take no more than this from here on, and write no file, as far as the system lets one say
    so: macOS refuses any bound on memory."""
    if resource is not None:
        limits = {
            resource.RLIMIT_AS: memory_bytes,
            resource.RLIMIT_CPU: seconds,
            resource.RLIMIT_FSIZE: 0,
        }
        for kind, most in limits.items():
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def read(data: bytes, most_pages: int, most_chars: int) -> tuple[str | None, str | None]:
    """The text and a note about it."""
    pdf = PdfReader(io.BytesIO(data))
    if pdf.is_encrypted and not pdf.decrypt(""):
        return None, ENCRYPTED
    pages, said, chars = len(pdf.pages), [], 0
    for number, page in enumerate(pdf.pages):
        if number >= most_pages or chars > most_chars:
            break
        said.append(page.extract_text())
        chars += len(said[-1]) + 2
    text = "\n\n".join(said).encode("utf-8", "replace").decode().replace("\0", "")
    if not text.strip():
        return None, "it holds no text, only pictures perhaps"
    if len(text) > most_chars:
        return text[:most_chars], f"only its first {most_chars:,} characters are here"
    if pages > most_pages:
        return text, f"only the first {most_pages} of its {pages} pages are here"
    return text, None


def main(memory_bytes: int, seconds: int, most_pages: int, most_chars: int) -> None:
    """Read a PDF and write what it says."""
    logging.disable(logging.CRITICAL)
    bound(memory_bytes, seconds)
    text: str | None = None
    try:
        text, note = read(sys.stdin.buffer.read(), most_pages, most_chars)
    except MemoryError:
        note = "reading it takes more memory than it may have"
    except DependencyError:  # a cipher that needs a library which is not on board
        note = ENCRYPTED
    except _BROKEN:
        note = "it is broken, so its text cannot be read"
    sys.stdout.write(json.dumps({"text": text, "note": note}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
