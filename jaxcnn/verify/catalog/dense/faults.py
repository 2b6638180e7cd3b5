"""Mistakes in the backward passes of dense and bilinear layers and of flattening."""

from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example, mean_example


def _transposed(array: Any) -> Any:
    """A matrix transposed and read in the old shape."""
    return array.T.reshape(array.shape)


def _shared(rule: str, kernel: int) -> list[Fault]:
    """What can go wrong where one kernel, followed by its bias, serves the whole batch."""
    return [
        as_if(rule, kernel, "kernel-one-sample", "is the gradient of the batch's first example only", first_example),
        as_if(
            rule,
            kernel,
            "kernel-mean-input",
            "comes from the batch's mean input instead of each example's own",
            mean_example,
        ),
        as_if(rule, kernel + 1, "bias-one-sample", "is summed over the first example only", first_example),
        changed(
            rule,
            kernel + 1,
            "bias-mean",
            "is the mean over the batch instead of the sum",
            lambda d, a, dy, o: d / max(1, len(dy)),
        ),
    ]


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
    *_shared("dense", kernel=1),
]


def _inputs_swapped(kernel: Any) -> Any:
    """The kernel's two inputs exchanged, and the memory read as the old shape."""
    return jnp.swapaxes(kernel, 0, 1).reshape(kernel.shape)


BILINEAR = [
    *(
        as_if(
            "bilinear",
            argument,
            f"inputs-swapped-for-{name}",
            "has the kernel's two inputs swapped",
            lambda a, dy, o: ((*a[:2], _inputs_swapped(a[2]), a[3]), dy, o),
        )
        for argument, name in enumerate(["x1", "x2"])
    ),
    as_if(
        "bilinear",
        0,
        "other-input-ignored",
        "misses the factor x2: it is what x2 = 1 gives",
        lambda a, dy, o: ((a[0], jnp.ones_like(a[1]), *a[2:]), dy, o),
    ),
    as_if(
        "bilinear",
        1,
        "other-input-mean",
        "comes from the batch's mean x1 instead of each example's own",
        mean_example,
    ),
    changed(
        "bilinear",
        2,
        "kernel-inputs-swapped",
        "is x2 x1ᵀ where x1 x2ᵀ belongs",
        lambda d, a, dy, o: _inputs_swapped(d),
    ),
    *_shared("bilinear", kernel=2),
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

FAULTS: list[Fault] = [*DENSE, *BILINEAR, *FLATTEN]
