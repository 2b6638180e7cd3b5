"""Depthwise convolution's three linear maps on CPUs by the handler in `depthwise.cc`; float32.

Each channel has a kernel of its own, and there is nothing to sum over but the taps: no product of matrices, which
others are fast at. The handler takes channels side by side, as they lie, and some places with them, so that what it
reads is read once for several taps, into registers. It copies nothing and takes any geometry. Arguments as in
`kernels.onednn`, which tells JAX what has to be told.
"""

import math

import numpy as np
from jax import Array

from jaxcnn.kernels import library, onednn
from jaxcnn.kernels.onednn import Shape
from jaxcnn.kernels.xla import Options

FEWEST_CHANNELS = 4  # that the handler takes side by side; fewer it takes one after the other


_maps = onednn.Maps(library.DEPTHWISE)
fprop, dgrad, wgrad = _maps.fprop, _maps.dgrad, _maps.wgrad


def serves(name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> bool:
    """Whether it can compute the map `name` for these float32 operands: one or two axes, an output for each input."""
    call = onednn.Call.of(name, options, a, b, *sizes)
    result = call.result(a.shape, b.shape)
    each = {a.shape[-1], b.shape[-1], result[-1]} == {call.groups} and call.groups >= FEWEST_CHANNELS
    float32 = a.dtype == b.dtype == call.dtype == np.float32
    some = len(call.stride) <= 2 and math.prod([*a.shape, *b.shape, *result]) > 0
    return each and float32 and some and isinstance(library.find(), library.Library)
