"""The planted faults of the family activation, a file for each of its operations' files."""

from jaxcnn.verify.catalog.activation.faults import elu, gelu, relu, sigmoid, softmax, swish
from jaxcnn.verify.catalog.fault import Fault

FAULTS: list[Fault] = [*relu.FAULTS, *elu.FAULTS, *sigmoid.FAULTS, *gelu.FAULTS, *swish.FAULTS, *softmax.FAULTS]
