"""The server as a process of its own, with the model that calls: python served.py"""

from __future__ import annotations

import sys

import pytest

from lite_llm_chat import cli
from tests.tools.caller import Caller, moved_in

if __name__ == "__main__":
    moved_in(pytest.MonkeyPatch(), Caller())
    sys.exit(cli.main([]))
