"""The planted faults of the family loss, a file for each of its operations' files."""

from jaxcnn.verify.catalog.fault import Fault
from jaxcnn.verify.catalog.loss.faults import (
    binary_cross_entropy,
    cross_entropy,
    divergence,
    margin,
    regression,
    triplet,
)

FAULTS: list[Fault] = [
    *cross_entropy.FAULTS,
    *binary_cross_entropy.FAULTS,
    *regression.FAULTS,
    *divergence.FAULTS,
    *margin.FAULTS,
    *triplet.FAULTS,
]
