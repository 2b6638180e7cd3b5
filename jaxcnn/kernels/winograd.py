"""Convolution's three linear maps by Winograd's algorithm, on CPUs by the handlers in `winograd.cc`; float32.

Where the kernel is 3×3 and the stride 1 it multiplies a quarter as often as the sums that define them (more often where
tiles reach over the edge), and takes about half as long. In return it rounds more, with errors of 1e-6 of a result's
size and not 2e-7 (root mean squares, 128 channels), and a number that is not finite reaches every output of its tile.
`BFLOAT16` multiplies in bfloat16: errors of 1e-2, where rounding the operands to bfloat16 leaves 2e-3. It lays images
together where fewer tiles then suffice (of 5×5, say, 9 for four and not 16), so that a tile can belong to two.
Arguments as in `kernels.onednn`, which tells JAX what has to be told.
"""

import math
from dataclasses import dataclass

import numpy as np
from jax import Array

from jaxcnn.kernels import library, onednn
from jaxcnn.kernels.onednn import Shape
from jaxcnn.kernels.xla import Options

TILE = 4  # outputs along an axis that are computed together
POINTS = TILE + 2  # products along an axis that they take
LEAST_SAVED = 1.5  # times the multiplications: with less, transforming the images takes longer than it saves
FEWEST_TILES = 64  # with fewer, transforming the kernel does
FEWEST_CHANNELS = 24  # with fewer, transforming the images does


@dataclass(frozen=True)
class Winograd:
    """The maps by one of the handlers."""

    handler: str
    together: bool  # whether images are laid together in fours where fewer tiles then cover them

    def fprop(self, x: Array, kernel: Array, options: Options) -> Array:
        """y from x and kernel."""
        return onednn.fprop(x, kernel, options, self.handler)

    def dgrad(self, dy: Array, kernel: Array, sizes: Shape, options: Options) -> Array:
        """dx from dy and kernel."""
        return onednn.dgrad(dy, kernel, sizes, options, self.handler)

    def wgrad(self, x: Array, dy: Array, window: Shape, options: Options) -> Array:
        """dkernel from x and dy."""
        return onednn.wgrad(x, dy, window, options, self.handler)

    def serves(self, name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> bool:
        """Whether it can compute the map `name` for these float32 operands, and is likely to be the fastest."""
        call = onednn.Call.of(name, options, a, b, *sizes)
        window, images = (call.sizes, b.shape) if name == "wgrad" else (b.shape[:-2], call.result(a.shape, b.shape))
        x, y = (images, a.shape) if name == "dgrad" else (a.shape, images)
        channels = (a.shape[-1], b.shape[-1], images[-1])
        plain = call.stride == call.dilation == (1, 1) and call.groups == 1 and tuple(window) == (3, 3)
        float32 = a.dtype == b.dtype == call.dtype == np.float32
        if not plain or not float32 or isinstance(library.find(), library.Missing):
            return False
        tiles: float = math.prod(-(-size // TILE) for size in images[1:-1])
        if self.together and set(call.padding) == {(1, 1)}:
            tiles = min(tiles, math.prod(-(-(2 * size + 1) // TILE) for size in images[1:-1]) / 4)
        lows = (low for low, _ in call.padding)
        saved = math.prod(map(_products, x[1:-1], y[1:-1], lows)) / (POINTS**2 * tiles)
        enough = images[0] * tiles >= FEWEST_TILES and min(channels) >= FEWEST_CHANNELS
        return enough and saved >= LEAST_SAVED


def _products(size: int, outputs: int, low: int) -> int:
    """How often the sums along an axis multiply an entry of the image, and not of its padding."""
    return sum(max(0, min(outputs, size + low - tap) - max(0, low - tap)) for tap in range(3))


FLOAT32 = Winograd(library.WINOGRAD, together=False)
BFLOAT16 = Winograd(library.WINOGRAD_BFLOAT16, together=True)
