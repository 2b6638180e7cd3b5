"""Bad input to resizing."""

from jaxcnn import ops
from tests.ops.errors.arrays import PIXELS, X

BAD = {
    "resize_nearest-sizes": (lambda: ops.resize_nearest(X, 2.5), ["sizes is 2.5", "positive ints"]),
    "resize_nearest-integers": (lambda: ops.resize_nearest(PIXELS, 4), ["dtype uint8", "/ 255"]),
    "resize_bilinear-empty": (lambda: ops.resize_bilinear(X[:, :, :0], 2), ["sizes (8, 0)", "1 or longer"]),
    "resize_bilinear-layout": (lambda: ops.resize_bilinear(X, 2, layout="HWC"), ["layout is 'HWC'"]),
}
