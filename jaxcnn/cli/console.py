"""Rich's console as the commands use it; imported by them only when they run, since rich takes a while."""

from typing import NoReturn

import rich.console


class Console(rich.console.Console):
    """Without markup, emoji codes and highlights: class names and paths are shown as they are."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # rich itself would exit with 1, as if a check had failed
