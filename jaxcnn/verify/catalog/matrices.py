"""Mistakes in linear maps of images: dx as if the forward had been a product with other matrices, one for each axis."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, pulled_back
from jaxcnn.verify.catalog.windows.faults import border_faults

# For an axis of length W and O outputs the (O, W) matrix of what each output takes from each position.
Matrix = Callable[[int, int], Any]


def _along_axes(x: Any, sizes: Any, matrix: Matrix) -> Any:
    for axis, size in enumerate(sizes, 1):
        m = jnp.asarray(matrix(x.shape[axis], size), x.dtype)
        x = jnp.moveaxis(jnp.tensordot(x, m, (axis, 1)), -1, axis)
    return x


def transposed(matrix: Matrix) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx as if the forward had been the product with these matrices, one for each axis."""
    return lambda d, arrays, dy, options: pulled_back(lambda x: _along_axes(x, options["sizes"], matrix), arrays, dy)[0]


def by_matrix(rule: str, name: str, cause: str, matrix: Matrix) -> Fault:
    """A fault of dx: that of the product with these matrices."""
    return changed(rule, 0, name, cause, transposed(matrix))


def bins(w: int, o: int) -> tuple[Any, Any]:
    """Where each of o bins over w positions begins, and the position after its last."""
    i = np.arange(o)
    return i * w // o, -(-(i + 1) * w // o)


def inside(w: int, starts: Any, stops: Any) -> Any:
    """(bins, w): 1 where a bin holds a position, else 0."""
    q = np.arange(w)
    return ((starts[:, None] <= q) & (q < stops[:, None])).astype(float)


def _reversed(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """dy with its places in reverse order along every spatial axis."""
    return arrays, jnp.flip(dy, tuple(range(1, dy.ndim - 1))), options


def everywhere(rule: str) -> list[Fault]:
    """What can go wrong in each of these rules."""
    return [
        *border_faults(rule),
        as_if(rule, 0, "dy-reversed", "reads dy in reverse order along the spatial axes", _reversed),
    ]
