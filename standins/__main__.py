"""`python -m standins` is `python -m standins.deepseek`."""

from __future__ import annotations

import sys

from standins.deepseek import main

if __name__ == "__main__":
    sys.exit(main())
