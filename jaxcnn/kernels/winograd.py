"""Convolution's three linear maps by Winograd's algorithm, on CPUs by the handler in `winograd.cc`; float32.

Where the kernel is 3×3 and the stride 1 it multiplies a quarter as often as the sums that define them, and takes about
half as long. In return it rounds more, with errors of 1e-6 of a result's size and not 2e-7 (root mean squares, 128
channels), and a number that is not finite reaches every output of its tile. Arguments as in `kernels.onednn`, which
tells JAX what has to be told.
"""

import math

import numpy as np
from jax import Array

from jaxcnn.kernels import library, onednn
from jaxcnn.kernels.onednn import Shape
from jaxcnn.kernels.xla import Options

TILE = 4  # outputs along an axis that are computed together
FEWEST_TILES = 64  # with fewer, transforming the kernel takes longer than it saves
FEWEST_CHANNELS = 32  # with fewer, transforming the images does


def fprop(x: Array, kernel: Array, options: Options) -> Array:
    """y from x and kernel."""
    return onednn.fprop(x, kernel, options, library.WINOGRAD)


def dgrad(dy: Array, kernel: Array, sizes: Shape, options: Options) -> Array:
    """dx from dy and kernel."""
    return onednn.dgrad(dy, kernel, sizes, options, library.WINOGRAD)


def wgrad(x: Array, dy: Array, window: Shape, options: Options) -> Array:
    """dkernel from x and dy."""
    return onednn.wgrad(x, dy, window, options, library.WINOGRAD)


def serves(name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> bool:
    """Whether it can compute the map `name` for these operands, and is likely to be the fastest."""
    call = onednn.Call.of(name, options, a, b, *sizes)
    window, images = (call.sizes, b.shape) if name == "wgrad" else (b.shape[:-2], call.result(a.shape, b.shape))
    channels = (a.shape[-1], b.shape[-1], images[-1])
    plain = call.stride == call.dilation == (1, 1) and call.groups == 1 and tuple(window) == (3, 3)
    float32 = a.dtype == b.dtype == call.dtype == np.float32
    if not plain or not float32 or isinstance(library.find(), library.Missing):
        return False
    tiles = images[0] * math.prod(-(-size // TILE) for size in images[1:-1])
    return tiles >= FEWEST_TILES and min(channels) >= FEWEST_CHANNELS
