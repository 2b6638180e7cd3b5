"""Bad input to padding, resizing and flattening."""

from jaxcnn import ops
from tests.ops.errors.arrays import PIXELS, X

BAD = {
    "pad-mode": (lambda: ops.pad(X, 1, mode="mirror"), ["mode is 'mirror'", "'reflect'"]),
    "pad-most": (
        lambda: ops.pad(X, ((0, 0), (6, 0)), mode="reflect"),
        ["padding (6, 0) along spatial axis 1", "mode 'reflect'", "its size 6", "at most 5"],
    ),
    "pad-word": (lambda: ops.pad(X, "SAME"), ["padding is 'SAME'; expected an int of 0 or more"]),
    "flatten-scalar": (lambda: ops.flatten(1.0), ["scalar", "(n, ...)"]),
    "flatten-integers": (lambda: ops.flatten(PIXELS), ["flatten: x has dtype uint8"]),
    "resize_nearest-sizes": (lambda: ops.resize_nearest(X, 2.5), ["sizes is 2.5", "positive ints"]),
    "resize_nearest-integers": (lambda: ops.resize_nearest(PIXELS, 4), ["dtype uint8", "/ 255"]),
    "resize_bilinear-empty": (lambda: ops.resize_bilinear(X[:, :, :0], 2), ["sizes (8, 0)", "1 or longer"]),
    "resize_bilinear-layout": (lambda: ops.resize_bilinear(X, 2, layout="HWC"), ["layout is 'HWC'"]),
}
