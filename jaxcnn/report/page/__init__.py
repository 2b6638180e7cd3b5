"""The page of a run, and of several runs beside one another: what `jaxcnn report` writes."""

from jaxcnn.report.page.compare import comparison
from jaxcnn.report.page.page import GENERATOR, page
from jaxcnn.report.page.trained import Trained, of_result, of_run

__all__ = ["GENERATOR", "Trained", "comparison", "of_result", "of_run", "page"]
