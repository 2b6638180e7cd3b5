"""Convolution's three linear maps summed as they are defined, on CPUs by the handler in `direct.cc`; float32, two axes.

For few channels above all, where oneDNN has no implementation of its own for AVX2 and copies windows into matrices, and
for single images, for which it reorders its kernels in each call. Arguments as in `kernels.onednn`, which tells JAX
what has to be told.
"""

import numpy as np
from jax import Array

from jaxcnn.kernels import library, onednn
from jaxcnn.kernels.onednn import Shape
from jaxcnn.kernels.xla import Options

_maps = onednn.Maps(library.DIRECT)
fprop, dgrad, wgrad = _maps.fprop, _maps.dgrad, _maps.wgrad


def serves(name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> bool:
    """Whether it can compute the map `name` for these operands."""
    call = onednn.Call.of(name, options, a, b, *sizes)
    plain = len(call.stride) == 2 and call.dilation == (1, 1) and call.groups == 1
    strides = name != "dgrad" or call.stride == (1, 1)
    float32 = a.dtype == b.dtype == call.dtype == np.float32
    return plain and strides and float32 and isinstance(library.find(), library.Library)
