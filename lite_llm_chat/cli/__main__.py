"""`python -m lite_llm_chat.cli` is the command `lite-llm-chat`."""

from __future__ import annotations

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
