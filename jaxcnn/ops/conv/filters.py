"""Kernels designed by hand, from the decades before kernels were learned.

Each is a read-only float32 array (kh, kw) to be laid over an image of one channel; `depthwise` makes it a kernel for
`conv` and any number of channels.

`conv` is cross-correlation: it lays the kernel as it is printed here. Books on image processing often mean the
convolution of mathematics, which turns the kernel by 180° first. The blurs, the Laplacians, `SHARPEN` and `IDENTITY`
look the same after that turn; the Sobel and Prewitt kernels change sign, so a book may print theirs negated. Here
`*_X` is positive where the image grows brighter to the right, `*_Y` where it grows brighter downwards (row 0 on top).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcnn.ops.geometry import count

Taps = Float[np.ndarray[Any, Any], "kh kw"]


def _constant(taps: Sequence[Sequence[float]] | Taps, divisor: int = 1) -> Taps:
    array = np.asarray(taps, np.float32) / np.float32(divisor)
    array.flags.writeable = False
    return array


IDENTITY = _constant([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
"""Gives the image back."""

BOX_BLUR = _constant(np.ones((5, 5)), 25)
"""The mean of a 5×5 window: every pixel of it counts alike."""

GAUSSIAN_BLUR = _constant(np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]), 256)
"""The binomial window with σ = 1 pixel along each axis, close to a Gaussian: near pixels count more.

Source: Burt & Adelson 1983, "The Laplacian pyramid as a compact image code", with a = 3/8.
"""

SOBEL_X = _constant([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
"""Slope from left to right times 8: a central difference along x, smoothed by (1, 2, 1) along y.

Source: Sobel & Feldman 1968, "A 3×3 isotropic gradient operator for image processing".
"""

SOBEL_Y = _constant(SOBEL_X.T)
"""Slope from top to bottom times 8; see `SOBEL_X`."""

PREWITT_X = _constant([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
"""Slope from left to right times 6: as `SOBEL_X`, smoothed by (1, 1, 1).

Source: Prewitt 1970, "Object enhancement and extraction".
"""

PREWITT_Y = _constant(PREWITT_X.T)
"""Slope from top to bottom times 6; see `PREWITT_X`."""

LAPLACIAN_4 = _constant([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
"""∂²/∂x² + ∂²/∂y² by second differences: the 4 neighbours' sum less 4 times the centre.

Source: Gonzalez & Woods, "Digital Image Processing", the section on sharpening by the Laplacian; so is `SHARPEN`.
"""

LAPLACIAN_8 = _constant([[1, 1, 1], [1, -8, 1], [1, 1, 1]])
"""As `LAPLACIAN_4` with the diagonal neighbours too; 3 times the Laplacian of a smooth image."""

SHARPEN = _constant(IDENTITY - LAPLACIAN_4)
"""The image less its Laplacian: each pixel is pushed away from the mean of its neighbours."""


def depthwise(taps: Taps, channels: int) -> Float[np.ndarray[Any, Any], "kh kw 1 c"]:
    """`taps` (kh, kw) as a `conv` kernel (kh, kw, 1, channels) that treats every channel alike and alone.

    Use it with as many groups: `conv(x, depthwise(SOBEL_X, 3), groups=3)` for x (n, h, w, 3).

    Raises: ValueError if `taps` is not of rank 2 or `channels` is below 1.
    """
    taps = np.asarray(taps)
    if taps.ndim != 2:
        raise ValueError(f"depthwise: taps has shape {taps.shape}; expected (kh, kw), one kernel without channels.")
    channels = count("depthwise", "channels", channels)
    return np.repeat(taps[:, :, None, None], channels, axis=3)
