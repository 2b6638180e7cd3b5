"""The inputs that each rule takes: hypothesis strategies for arrays and options that its door accepts.

Every strategy shrinks towards a batch of one, one channel, one spatial axis and options at their defaults. Array values
come from a drawn seed, not from hypothesis entry by entry: shapes and options are what there is to shrink.
"""

from jaxcnn.verify.spaces import layers, loss, norm, pointwise, resize, sliding
from jaxcnn.verify.spaces.draw import SPACES, Draw, worked_out

__all__ = ["SPACES", "Draw", "layers", "loss", "norm", "pointwise", "resize", "sliding", "worked_out"]
