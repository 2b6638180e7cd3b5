"""Mistakes in the backward passes of the dense layer, of flattening and of dropout."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed


def _transposed(array: Any) -> Any:
    """A matrix transposed and read in the old shape."""
    return array.T.reshape(array.shape)


def _first_example(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy.at[1:].set(0), options


DENSE = [
    as_if(
        "dense",
        0,
        "kernel-not-transposed",
        "uses the kernel where its transpose belongs",
        lambda a, dy, o: ((a[0], _transposed(a[1]), a[2]), dy, o),
    ),
    changed(
        "dense", 1, "gradient-transposed", "is transposed: dyᵀ x instead of xᵀ dy", lambda d, a, dy, o: _transposed(d)
    ),
    as_if("dense", 1, "kernel-one-sample", "is the gradient of the batch's first example only", _first_example),
    as_if(
        "dense",
        1,
        "kernel-mean-input",
        "comes from the batch's mean input instead of each example's own",
        lambda a, dy, o: ((jnp.broadcast_to(a[0].mean(0), a[0].shape), *a[1:]), dy, o),
    ),
    as_if("dense", 2, "bias-one-sample", "is summed over the first example only", _first_example),
    changed(
        "dense",
        2,
        "bias-mean",
        "is the mean over the batch instead of the sum",
        lambda d, a, dy, o: d / max(1, len(dy)),
    ),
]


def _channels_first(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dy read as if the channels had been flattened first."""
    n, *spatial, channels = d.shape if d.ndim > 2 else (len(d), *d.shape[1:], 1)
    return jnp.moveaxis(dy.reshape(n, channels, *spatial), 1, -1).reshape(d.shape)


def _columns_first(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dy read in column-major order, the first axis running fastest."""
    back = dy.reshape(len(dy), *reversed(d.shape[1:]))
    return back.transpose(0, *range(d.ndim - 1, 0, -1))


FLATTEN = [
    changed(
        "flatten",
        0,
        "channels-first",
        "is put back as if the channels had been flattened before the places",
        _channels_first,
    ),
    changed("flatten", 0, "column-major", "is put back in column-major order", _columns_first),
    changed(
        "flatten",
        0,
        "batch-mixed",
        "mixes the examples: the batch axis was flattened along",
        lambda d, a, dy, o: dy.T.reshape(d.shape),
    ),
    changed(
        "flatten",
        0,
        "reversed",
        "has the features of each example in reverse order",
        lambda d, a, dy, o: dy[:, ::-1].reshape(d.shape),
    ),
]


def _resampled(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    x, key = arrays
    return (x, jax.random.split(key)[0]), dy, options


DROPOUT = [
    changed("dropout", 0, "no-factor", "misses the factor 1 / (1 - rate)", lambda d, a, dy, o: d * (1 - o["rate"])),
    changed(
        "dropout",
        0,
        "factor-rate",
        "is divided by the rate instead of 1 - rate",
        lambda d, a, dy, o: d * (1 - o["rate"]) / o["rate"],
    ),
    changed(
        "dropout", 0, "factor-twice", "has the factor 1 / (1 - rate) twice", lambda d, a, dy, o: d / (1 - o["rate"])
    ),
    changed("dropout", 0, "mask-ignored", "reaches dropped entries too", lambda d, a, dy, o: dy / (1 - o["rate"])),
    changed(
        "dropout",
        0,
        "mask-inverted",
        "reaches the dropped entries instead of the kept ones",
        lambda d, a, dy, o: jnp.where(d == 0, dy / (1 - o["rate"]), 0),
    ),
    as_if("dropout", 0, "mask-resampled", "uses another random mask than the forward", _resampled),
]

FAULTS: list[Fault] = [*DENSE, *FLATTEN, *DROPOUT]
