"""The page of one run."""

from collections.abc import Callable

from jaxcnn.report.page.section import Section
from jaxcnn.report.page.trained import Trained
from jaxcnn.report.templating import environment
from jaxcnn.train.run_folder import RunFolder

GENERATOR = "jaxcnn report"
# The parts of the page in their order; one that has nothing to show is None.
SECTIONS: tuple[Callable[[RunFolder, Trained], Section | None], ...] = ()


def page(run: RunFolder, trained: Trained) -> str:
    """One HTML file that shows a run; it needs no network, and no other file.

    Raises: ValueError for a run without epochs, OSError if its metrics can't be read.
    """
    title = f"{run.config.title} on {run.facts.name}"
    sections = [section for make in SECTIONS if (section := make(run, trained)) is not None]
    templates = environment("jaxcnn.report", "templates/run")
    return templates.get_template("page.html").render(
        generator=GENERATOR, title=title, sections=sections, missing=trained.missing
    )
