"""The planted faults of the family activation, a file for each of its operations' files."""

from jaxcnn.verify.catalog.activation.faults import elu, gelu, glu, relu, sigmoid, softmax, swish
from jaxcnn.verify.catalog.fault import Fault

FILES = (relu, elu, sigmoid, gelu, glu, swish, softmax)
FAULTS: list[Fault] = [fault for file in FILES for fault in file.FAULTS]
