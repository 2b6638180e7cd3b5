"""The planted faults of the family conv, a file for each of its operations' files."""

from jaxcnn.verify.catalog.conv.faults import conv, conv_transpose, unfold
from jaxcnn.verify.catalog.fault import Fault

FAULTS: list[Fault] = [*conv.FAULTS, *conv_transpose.FAULTS, *unfold.FAULTS]
