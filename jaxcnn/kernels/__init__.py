"""Who computes convolution's three linear maps on this platform.

`fprop`, `dgrad` and `wgrad` take what those of `kernels.xla` take. XLA's own serve every platform; on a CPU it is an
order of magnitude slower in groups than it needs to be, so there `kernels.grouped` serves those.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from jax import Array, lax

from jaxcnn.kernels import grouped, xla

__all__ = ["dgrad", "fprop", "wgrad"]


def fprop(x: Array, kernel: Array, **options: Any) -> Array:
    """y from x and kernel."""
    return _chosen(xla.fprop, grouped.fprop, options)(x, kernel)


def dgrad(dy: Array, kernel: Array, sizes: Any, **options: Any) -> Array:
    """dx, of the spatial sizes `sizes`, from dy and kernel."""
    return _chosen(xla.dgrad, grouped.dgrad, options, sizes=sizes)(dy, kernel)


def wgrad(x: Array, dy: Array, window: Any, **options: Any) -> Array:
    """dkernel, of the spatial sizes `window`, from x and dy."""
    return _chosen(xla.wgrad, grouped.wgrad, options, window=window)(x, dy)


def _chosen(any_platform: Any, cpu: Any, options: dict[str, Any], **sizes: Any) -> Callable[[Array, Array], Array]:
    everywhere = partial(any_platform, **sizes, **options)
    if options["groups"] == 1:
        return everywhere
    return partial(lax.platform_dependent, cpu=partial(cpu, **sizes, **options), default=everywhere)
