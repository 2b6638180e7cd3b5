"""Convolution's three linear maps by Winograd's algorithm, on CPUs by the handlers in `winograd.cc`; float32.

Where the kernel is 3×3 and the stride 1 it multiplies a quarter as often as the sums that define them (more often where
tiles reach over the edge), and takes about half as long. In return it rounds more, with errors of 1e-6 of a result's
size and not 2e-7 (root mean squares, 128 channels), and a number that is not finite reaches every output of its tile.
`TOGETHER` lays images together where fewer tiles then suffice (of 5×5, say, 9 for four and not 16), so that a tile can
belong to two. `BFLOAT16` does, too, and multiplies in bfloat16: errors of 1e-2, where rounding the operands to bfloat16
leaves 2e-3.
Arguments as in `kernels.onednn`, which tells JAX what has to be told.
"""

import math
from dataclasses import dataclass

import numpy as np
from jax import Array

from jaxcnn.kernels import library, onednn
from jaxcnn.kernels.grouped import in_groups
from jaxcnn.kernels.onednn import Shape
from jaxcnn.kernels.xla import Options

TILE = 4  # outputs along an axis that are computed together
POINTS = TILE + 2  # products along an axis that they take
MOST_GROUPS = 8  # each of which is a call of the handler
LANES = 16  # channels that the handler transforms side by side, and needs at least


@dataclass(frozen=True)
class Winograd(onednn.Maps):
    """The maps by one of the handlers."""

    together: bool  # whether images are laid together in fours where fewer tiles then cover them

    def compute(self, name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> Array:
        """One of the maps by its name, each group by itself."""
        return in_groups(getattr(onednn.Maps(self.handler), name), a, b, options, *sizes)

    def serves(self, name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> bool:
        """Whether it can compute the map `name` for these float32 operands."""
        call = onednn.Call.of(name, options, a, b, *sizes)
        window = call.sizes if name == "wgrad" else b.shape[:-2]
        plain = call.stride == call.dilation == (1, 1) and call.groups <= MOST_GROUPS and tuple(window) == (3, 3)
        float32 = a.dtype == b.dtype == call.dtype == np.float32
        wide = min(call.channels(a.shape, b.shape)) >= LANES
        return plain and float32 and wide and isinstance(library.find(), library.Library)

    def work(self, call: onednn.Call, a: Shape, b: Shape) -> float:
        """The products that it makes, of operands of these shapes."""
        _, (images, *out) = call.window_and_y(a, b)
        tiles: float = math.prod(-(-size // TILE) for size in out)
        if self.together and set(call.padding) == {(1, 1)}:
            tiles = min(tiles, math.prod(-(-(2 * size + 1) // TILE) for size in out) / 4)
        return float(POINTS**2 * images * tiles * math.prod(call.channels(a, b)) * call.groups)


FLOAT32 = Winograd(library.WINOGRAD, together=False)
TOGETHER = Winograd(library.WINOGRAD_TOGETHER, together=True)
BFLOAT16 = Winograd(library.WINOGRAD_BFLOAT16, together=True)
