"""The front door: `python main.py` serves, `uvicorn main:app` finds the application here.

    python main.py ───────▶ lite_llm_chat.cli      (serves, or does what is asked for)
    uvicorn main:app ─────▶ app                    (made at import; opens nothing until it starts)

Whoever comes before the installation is told the two lines that are missing, not a traceback.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install -r requirement.txt"

if sys.platform == "win32":
    raise SystemExit("Lite-LLM-Chat runs on Linux and macOS; on Windows start it inside WSL.")
if sys.version_info < (3, 11):
    raise SystemExit(f"Lite-LLM-Chat needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

gc.disable()  # imports make next to no garbage: looking for it took a tenth of the start-up
try:
    from lite_llm_chat import cli

    # Only what is wanted is imported, and imported here: a command that asks a running server
    # needs none of a server's parts.
    begin: Callable[[], Any] = cli.prepare() if __name__ == "__main__" else cli.application()
except ModuleNotFoundError as missing:
    if (missing.name or "").startswith("lite_llm_chat"):
        raise  # a defect of ours: nothing that an installation would mend
    raise SystemExit(
        f"The Python package {missing.name!r} is missing. Install and start with:\n\n"
        f"    {INSTALL}\n"
        f"    python main.py\n"
    ) from None
gc.freeze()  # what was imported stays, so no later collection has to look at it again
gc.set_threshold(20_000, 10, 20)  # a crowd that arrives is no garbage: looking cost it a third
gc.enable()

if __name__ == "__main__":
    sys.exit(begin())

app = begin()
