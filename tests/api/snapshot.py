"""The OpenAPI description as it was last agreed on.

python -m tests.api.snapshot        write it anew, then read the diff: it is what clients see
"""

from __future__ import annotations

import json
from pathlib import Path

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings

SNAPSHOT = Path(__file__).with_name("openapi.json")


def described() -> str:
    """The description that this code gives of itself, as stable text."""
    described_now = create_app(Settings.model_construct()).framework.openapi()
    return json.dumps(described_now, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SNAPSHOT.write_text(described(), "utf-8")
