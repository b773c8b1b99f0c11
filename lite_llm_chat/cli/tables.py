"""Tables: drawn for a person, tab-separated for a pipe.

names, rows ─┬─▶ a terminal: columns in line, long texts folded
             └─▶ anything else: one line a row, a tab between cells
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .text import line

NUMBERS = frozenset("0123456789.,$~%-")


def print_table(out: Console, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows of cells; a column of numbers stands to the right."""
    cells = [["" if cell is None else line(str(cell)) for cell in row] for row in rows]
    if not out.is_terminal:
        for row in ([*names], *cells):
            print("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, name in enumerate(names):
        numeric = bool(cells) and all(set(row[number]) <= NUMBERS for row in cells)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)
