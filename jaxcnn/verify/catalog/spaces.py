"""The inputs that each rule takes: hypothesis strategies for arrays and options that its door accepts.

Every strategy shrinks towards a batch of one, one channel, one spatial axis and options at their defaults. Array values
come from a drawn seed, not from hypothesis entry by entry: shapes and options are what there is to shrink.
"""

from jaxcnn.verify.catalog import of_families
from jaxcnn.verify.catalog.draw import SPACES, Draw, space, worked_out

__all__ = ["SPACES", "Draw", "space", "worked_out"]

of_families("space")  # each enters its strategies
