"""`jaxcnn show`: an operation's forward and backward as a page to step through."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import tyro

from jaxcnn.cli import pages


@dataclass(frozen=True)
class ShowOptions:
    """Write a page that shows an operation.
    $ jaxcnn show conv

    Forward and backward on small arrays, by its rule, and the derivation.
    """

    operation: tyro.conf.Positional[str | None] = None
    """The operation, such as conv, max_pool or batch_norm."""
    all: bool = False
    """Show every operation, on one page."""
    out: Path | None = None
    """The HTML file to write; by default OPERATION.html, or operations.html with --all. An older page is written over,
    another file is not."""


def run(options: ShowOptions) -> int:
    """Write the page; returns 0. Raises ValueError for an unknown operation, or an --out that can't be written."""
    from jaxcnn.ops.rule import RULES
    from jaxcnn.report.show import GENERATOR, page

    if options.all == (options.operation is not None):
        raise ValueError("expected one operation, as in jaxcnn show conv, or --all instead.")
    if options.operation is not None and options.operation not in RULES:
        near = difflib.get_close_matches(options.operation, RULES, 1, 0.7)
        meant = f"did you mean {near[0]}? The" if near else "the"
        raise ValueError(f"{options.operation!r} is no operation; {meant} operations are {', '.join(sorted(RULES))}.")
    out = options.out or Path(f"{options.operation or 'operations'}.html")
    pages.check_out(out, GENERATOR)
    pages.write(page([options.operation] if options.operation else list(RULES)), out)
    return 0
