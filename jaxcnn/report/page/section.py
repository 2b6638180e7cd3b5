"""A part of a run's page."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """A part of a page, with a heading of its own and a line in the table of contents.

    Attributes:
      name: its anchor. The template NAME.html in templates/run shows it, and NAME.css and NAME.js are put into the
        page where there are such files.
      title: its heading.
      content: what the template is given, under this name.
    """

    name: str
    title: str
    content: Any
