"""Rich's console as the commands use it; imported by them only when they run, since rich takes a while."""

import sys
from typing import Any, NoReturn

import rich.console
import rich.measure
from rich.table import Table
from rich.text import Text

from jaxcnn.cli.streams import visible

NARROWEST = 80  # characters: a table that is squeezed into fewer has more dots than words


class Console(rich.console.Console):
    """Without markup, emoji codes and highlights: class names and paths are shown as they are, and can't control it."""

    def __init__(self, *, soft_wrap: bool = False, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap, stderr=stderr)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def print_table(self, table: Table) -> None:
        """In full: a terminal that is too narrow breaks its lines, and a word too long for its column goes on below."""
        for column in table.columns:
            column.overflow = "fold"
        self.width = max(self.width, NARROWEST)
        self.print(table)

    def width_of(self, table: Table) -> int:
        """Characters that the table takes where no line of it is broken."""
        wide = self.options.update(max_width=sys.maxsize)
        return rich.measure.Measurement.get(self, wide, table).maximum

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # rich itself would exit with 1, as if a check had failed
