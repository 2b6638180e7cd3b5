"""The planted faults of the family resize, a file for each of its operations' files."""

from jaxcnn.verify.catalog.fault import Fault
from jaxcnn.verify.catalog.resize.faults import grid_sample, interpolate, nearest, pixel_shuffle

FAULTS: list[Fault] = [*nearest.FAULTS, *interpolate.FAULTS, *pixel_shuffle.FAULTS, *grid_sample.FAULTS]
