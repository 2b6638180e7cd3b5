"""Mistakes in the backward passes of softmax and its logarithm."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed


def _softmax(arrays: Arrays, options: Options) -> Any:
    return jax.nn.softmax(arrays[0], options["axis"])


def _other_axis(arrays: Arrays, options: Options) -> int:
    """The axis before the right one, counted round."""
    return (options["axis"] - 1) % arrays[0].ndim


def _summed_over_all(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    y = _softmax(arrays, options)
    return y * (dy - (dy * y).sum())


SOFTMAX = [
    changed(
        "softmax", 0, "sum-dropped", "is dy y: the term - y Σ dy y is missing", lambda d, a, dy, o: dy * _softmax(a, o)
    ),
    changed(
        "softmax",
        0,
        "diagonal",
        "is dy y (1 - y): the outputs are taken to depend on their own input only",
        lambda d, a, dy, o: dy * _softmax(a, o) * (1 - _softmax(a, o)),
    ),
    changed("softmax", 0, "summed-over-all", "sums dy y over all axes instead of the softmax's own", _summed_over_all),
    changed(
        "softmax",
        0,
        "sum-without-y",
        "has Σ dy where Σ dy y belongs",
        lambda d, a, dy, o: _softmax(a, o) * (dy - dy.sum(o["axis"], keepdims=True)),
    ),
    as_if(
        "softmax",
        0,
        "other-axis",
        "is the derivative along another axis",
        lambda a, dy, o: (a, dy, {"axis": _other_axis(a, o)}),
    ),
]

LOG_SOFTMAX = [
    changed("log_softmax", 0, "sum-dropped", "is dy: the term - softmax Σ dy is missing", lambda d, a, dy, o: dy),
    changed(
        "log_softmax",
        0,
        "softmax-dropped",
        "is dy - Σ dy: the factor softmax is missing",
        lambda d, a, dy, o: dy - dy.sum(o["axis"], keepdims=True),
    ),
    changed(
        "log_softmax",
        0,
        "diagonal",
        "is dy (1 - softmax): the outputs are taken to depend on their own input only",
        lambda d, a, dy, o: dy * (1 - _softmax(a, o)),
    ),
    changed(
        "log_softmax",
        0,
        "exponential-dropped",
        "has the log-probability where the probability belongs",
        lambda d, a, dy, o: dy - jnp.log(_softmax(a, o)) * dy.sum(o["axis"], keepdims=True),
    ),
    changed(
        "log_softmax",
        0,
        "mean",
        "has the mean of dy where its sum belongs",
        lambda d, a, dy, o: dy - _softmax(a, o) * dy.mean(o["axis"], keepdims=True),
    ),
    as_if(
        "log_softmax",
        0,
        "other-axis",
        "is the derivative along another axis",
        lambda a, dy, o: (a, dy, {"axis": _other_axis(a, o)}),
    ),
]

FAULTS: list[Fault] = [*SOFTMAX, *LOG_SOFTMAX]
