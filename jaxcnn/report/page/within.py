"""The parts of a run's page that look at the network itself, and at what it makes of the test images."""

from jaxcnn.report.page.calibration import calibration
from jaxcnn.report.page.confusion import confusion
from jaxcnn.report.page.filters import filters
from jaxcnn.report.page.gradient_check import gradient_check
from jaxcnn.report.page.maps import maps
from jaxcnn.report.page.mistakes import mistakes
from jaxcnn.report.page.section import Section
from jaxcnn.report.page.trained import Trained
from jaxcnn.report.page.tree import network
from jaxcnn.report.page.units import units
from jaxcnn.train.run_folder import RunFolder

SECTIONS = (network, confusion, calibration, mistakes, filters, maps, units, gradient_check)


def sections(run: RunFolder, trained: Trained) -> list[Section]:
    """Those that there can be: without the network, none; without test images, what can be said of it alone."""
    return [section for make in SECTIONS if (section := make(run, trained)) is not None]
