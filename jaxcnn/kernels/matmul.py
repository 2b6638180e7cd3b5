"""Convolution's three linear maps where the window is one pixel: products of matrices, by XLA. As in `kernels.xla`.

With x and y as matrices (pixels, channels), y = x kernel, dx = dy kernelᵀ and dkernel = xᵀ dy. XLA on a CPU does not
see that in a convolution, whose dkernel takes it up to 30 times as long (`jaxcnn tune` measures both).
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from jaxcnn.kernels.xla import Options


def serves(name: str, options: Options, a: Array, b: Array, *sizes: Sequence[int]) -> bool:
    """Whether the map `name` of these operands is one product."""
    window = sizes[0] if name == "wgrad" else b.shape[:-2]
    plain = {*window, *options.stride, options.groups} == {1}
    return plain and not any(edge for pair in options.padding for edge in pair)


def fprop(x: Array, kernel: Array, options: Options) -> Array:
    """y from x and kernel."""
    return _product(x, _matrix(kernel), ((-1,), (0,)), options)


def dgrad(dy: Array, kernel: Array, sizes: Sequence[int], options: Options) -> Array:
    """dx from dy and kernel."""
    return _product(dy, _matrix(kernel), ((-1,), (1,)), options)


def wgrad(x: Array, dy: Array, window: Sequence[int], options: Options) -> Array:
    """dkernel from x and dy."""
    pixels = tuple(range(x.ndim - 1))
    return _product(x, dy, (pixels, pixels), options).reshape(*window, x.shape[-1], dy.shape[-1])


def _product(a: Array, b: Array, axes: tuple[tuple[int, ...], tuple[int, ...]], options: Options) -> Array:
    return jnp.tensordot(a, b, axes, preferred_element_type=options.preferred_element_type)


def _matrix(kernel: Array) -> Array:
    return kernel.reshape(kernel.shape[-2:])
