"""A part of a run's page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxcnn.report.page.trained import Trained
from jaxcnn.train.run_folder import RunFolder


@dataclass(frozen=True)
class Section:
    """A part of a page, with a heading of its own and a line in the table of contents.

    Attributes:
      name: its anchor. The template NAME.html in templates/run shows it, and NAME.css and NAME.js are put into the
        page where there are such files.
      title: its heading.
      content: what the template is given, under this name.
      missing: why there is no content, as a sentence that stands in the template's place.
    """

    name: str
    title: str
    content: Any
    missing: str = ""


class Missing(Exception):
    """Why a section can't be made of this network or these images: one or more sentences."""


Maker = Callable[[RunFolder, Trained], Section | None]


def section(name: str, title: str, *, tested: bool = True) -> Callable[[Callable[[Trained], Any]], Maker]:
    """Decorate a function from what was trained to a section's content; it may raise `Missing`.

    There is no such section where there is no network, or no test images and it is about them (`tested`): the page says
    once why.
    """

    def decorate(make: Callable[[Trained], Any]) -> Maker:
        def made(run: RunFolder, trained: Trained) -> Section | None:
            if trained.model is None or (tested and trained.tested is None):
                return None
            try:
                return Section(name, title, make(trained))
            except Missing as error:
                return Section(name, title, None, str(error))
            except Exception as error:  # of a network of the user's own anything may; the rest of the page is made
                return Section(name, title, None, f"It could not be made ({type(error).__name__}: {error}).")

        return made

    return decorate
