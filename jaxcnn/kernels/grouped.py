"""Convolution's three linear maps in groups, as a CPU computes them fast. Arguments as in `kernels.xla`.

With one input channel in a group (depthwise) there is nothing to sum over but the taps, and a convolution is a handful
of multiplications of shifted arrays. Otherwise each group is a convolution of its own. On 2 cores of an Intel Xeon
XLA's own took 2 to 20 times as long forward, 2 to 26 times for dx and 7 to 1,277 times for dkernel, over six shapes in
float32: `python experiments/grouped_convolution.py`. Transposed convolution runs the same maps in other roles.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcnn.kernels import xla
from jaxcnn.kernels.xla import Ints, Options, Pairs, extent
from jaxcnn.primitive import vary_alike

MOST_TAPS = 64  # of a kernel; more, written out one by one, would take long to compile


def fprop(x: Array, kernel: Array, options: Options) -> Array:
    """y from x and kernel."""
    if kernel.shape[-2] == 1:
        return _depthwise_fprop(x, kernel, options)
    return in_groups(xla.fprop, x, kernel, options)


def dgrad(dy: Array, kernel: Array, sizes: Sequence[int], options: Options) -> Array:
    """dx from dy and kernel."""
    if kernel.shape[-2] == 1:
        return _depthwise_dgrad(dy, kernel, sizes, options)
    return in_groups(xla.dgrad, dy, kernel, options, sizes)


def wgrad(x: Array, dy: Array, window: Sequence[int], options: Options) -> Array:
    """dkernel from x and dy."""
    if x.shape[-1] == options.groups:
        return _depthwise_wgrad(x, dy, window, options)
    return in_groups(xla.wgrad, x, dy, options, window)


def in_groups(compute: Callable[..., Array], a: Array, b: Array, options: Options, *sizes: Sequence[int]) -> Array:
    """A map, computed for each group by itself."""
    if options.groups == 1:
        return compute(a, b, *sizes, options)
    parts = zip(*(jnp.split(operand, options.groups, -1) for operand in (a, b)), strict=True)
    return jnp.concatenate([compute(*part, *sizes, options._replace(groups=1)) for part in parts], -1)


def _depthwise_fprop(x: Array, kernel: Array, options: Options) -> Array:
    """y[p] = Σ_k x[p s + k d] kernel[k], each product a whole array."""
    stride, padding, dilation, _, dtype = options
    window = kernel.shape[:-2]
    out = options.out(x.shape[1:-1], window)
    padded = _padded(_outputs_of(x, kernel.shape[-1]), padding)
    taps = [_shifted(padded, tap, out, stride, dilation) * kernel[tap] for tap in np.ndindex(*window)]
    return sum(taps[1:], taps[0]).astype(dtype or x.dtype)


def _depthwise_dgrad(dy: Array, kernel: Array, sizes: Sequence[int], options: Options) -> Array:
    """dx[q] = Σ_k dy[(q - k d) / s] kernel[k]: the same with dy spread out by the stride, from its other end."""
    stride, _, dilation, groups, dtype = options
    window, n = kernel.shape[:-2], len(stride)
    full = options.full(sizes, window, dy.shape[1:-1])
    ends = [(low, high, s - 1) for (low, high), s in zip(full, stride, strict=True)]
    spread = lax.pad(_wide(dy), jnp.zeros((), _wide(dy).dtype), [(0, 0, 0), *ends, (0, 0, 0)])
    turned = jnp.flip(kernel, range(n))
    taps = [_shifted(spread, tap, sizes, (1,) * n, dilation) * turned[tap] for tap in np.ndindex(*window)]
    each = sum(taps[1:], taps[0])
    dx = each.reshape(*each.shape[:-1], groups, each.shape[-1] // groups).sum(-1)
    return dx.astype(dtype or dy.dtype)


def _depthwise_wgrad(x: Array, dy: Array, window: Sequence[int], options: Options) -> Array:
    """dkernel[k] = Σ_n Σ_p x[n, p s + k d] dy[n, p]: one image after the other is added up for every tap.

    The sums over the places come last: XLA's own sum of the whole product over all but its last axis is far slower.
    """
    stride, padding, dilation, _, dtype = options
    taps = list(np.ndindex(*window))

    def add(sums: tuple[Array, ...], image: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        padded, dy = image
        shifted = (_shifted(padded[None], tap, dy.shape[:-1], stride, dilation)[0] for tap in taps)
        return tuple(total + part * dy for total, part in zip(sums, shifted, strict=True)), None

    images = _padded(_outputs_of(x, dy.shape[-1]), padding), _wide(dy)
    zeros, *_ = vary_alike([jnp.zeros(dy.shape[1:], images[1].dtype), *images])
    sums, _ = lax.scan(add, (zeros,) * len(taps), images)
    totals = [lax.optimization_barrier(total).sum(range(total.ndim - 1)) for total in sums]
    return jnp.stack(totals).reshape(*window, 1, dy.shape[-1]).astype(dtype or x.dtype)


def _wide(a: Array) -> Array:
    """In float32 at least: half precision is summed in it."""
    return a.astype(jnp.promote_types(a.dtype, jnp.float32))


def _outputs_of(x: Array, outputs: int) -> Array:
    """Each channel as often as it has outputs."""
    return jnp.repeat(_wide(x), outputs // x.shape[-1], -1)


def _padded(x: Array, padding: Pairs) -> Array:
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))


def _shifted(padded: Array, tap: Sequence[int], out: Sequence[int], stride: Ints, dilation: Ints) -> Array:
    """The entry that this tap sees from each place."""
    start = [t * d for t, d in zip(tap, dilation, strict=True)]
    limit = [at + extent(o, s) for at, o, s in zip(start, out, stride, strict=True)]
    return lax.slice(padded, [0, *start, 0], [padded.shape[0], *limit, padded.shape[-1]], [1, *stride, 1])
