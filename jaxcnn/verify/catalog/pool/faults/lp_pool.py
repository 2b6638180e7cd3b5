"""Mistakes in the backward pass of Lp pooling: the power, the root, the sign."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed, pulled_back
from jaxcnn.verify.catalog.pool.faults.taps import shared, window
from jaxcnn.verify.catalog.windows.faults import window_faults


def _power(power: Callable[[float], float]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """The Lp pool's dx times |x|^power(p): the window's share with another power of its entries."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        (x,) = arrays
        return jnp.where(x == 0, 0, d * jnp.where(x == 0, 1, jnp.abs(x)) ** power(options["p"]))

    return change


def _without_root(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx of Σ x^p / p, as if no root were taken of it."""
    geometry = {name: options[name] for name in ("size", "stride", "padding")}
    steps = (1, *options["dilation"], 1)

    def summed(x: Any) -> Any:
        powers = x ** options["p"] / options["p"]
        return lax.reduce_window(powers, 0.0, lax.add, *_strides(**geometry), window_dilation=steps)

    return pulled_back(summed, arrays, dy)[0]


def _undilated(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """What each window gives all its entries, x^(p - 1) left out, laid down without dilation."""
    (x,) = arrays
    y = RULES["lp_pool"].plain(x, **options)
    share = dy * jnp.where(y == 0, 0, jnp.where(y == 0, 1, y) ** (1 - options["p"]))
    return x ** (options["p"] - 1) * shared(jnp.ones_like, dilated=False)(d, arrays, share, options)


def _strides(size: Any, stride: Any, padding: Any) -> tuple[Any, Any, Any]:
    return (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))


FAULTS: list[Fault] = [
    *window_faults("lp_pool", window),
    changed("lp_pool", 0, "power-not-lowered", "has x^p where x^(p - 1) belongs", _power(lambda p: 1)),
    changed("lp_pool", 0, "power-dropped", "misses the factor x^(p - 1)", _power(lambda p: 1 - p)),
    changed("lp_pool", 0, "root-not-derived", "is that of Σ x^p / p: the root is not derived", _without_root),
    changed(
        "lp_pool",
        0,
        "dilation-ignored",
        "goes to the entries that a window's taps would have without dilation",
        _undilated,
    ),
    changed("lp_pool", 0, "one-over-p", "misses the 1/p of the root's derivative", lambda d, a, dy, o: d * o["p"]),
    changed("lp_pool", 0, "p-dropped", "misses the p of the power's derivative", lambda d, a, dy, o: d / o["p"]),
    changed("lp_pool", 0, "absolute", "has lost the sign of x", lambda d, a, dy, o: jnp.sign(a[0]) * d),
    changed(
        "lp_pool",
        0,
        "mean",
        "is divided by the window's size, as if the mean of the powers were taken",
        lambda d, a, dy, o: d / math.prod(o["size"]),
    ),
]
