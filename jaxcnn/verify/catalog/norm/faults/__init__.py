"""The planted faults of the family norm, a file for each of its operations' files."""

from jaxcnn.verify.catalog.fault import Fault
from jaxcnn.verify.catalog.norm.faults import batch_norm, group_norm, local_response_norm, weight_standardize

FAULTS: list[Fault] = [*batch_norm.FAULTS, *group_norm.FAULTS, *weight_standardize.FAULTS, *local_response_norm.FAULTS]
