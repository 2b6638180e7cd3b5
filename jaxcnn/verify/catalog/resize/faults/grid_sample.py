"""Mistakes in the backward passes of sampling by a grid, and of an affine map's grid."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.windows.faults import border_faults

RULE = "grid_sample"
NEXT = {"zeros": "border", "border": "reflection", "reflection": "zeros"}


def _other_corners(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"align_corners": not options["align_corners"]}


def _other_padding(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"padding_mode": NEXT[options["padding_mode"]]}


def _nearest_only(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"mode": "nearest"}


def _linear_only(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"mode": "bilinear" if options["mode"] == "bicubic" else options["mode"]}


def _in_pixels(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """d for each pixel of way, not for each unit of the grid."""
    lengths = np.array(arrays[0].shape[-2:0:-1], float) - options["align_corners"]
    return d / jnp.asarray(np.maximum(lengths, 1) / 2, d.dtype)


def _without_reflection(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """The sign is lost with which a reflected place moves."""
    turned = (abs(arrays[1]) > 1) & (options["padding_mode"] == "reflection")
    return jnp.where(turned, -d, d)


FAULTS_OF_BOTH = [
    as_if(RULE, argument, of + name, cause, pretend)
    for argument, of in enumerate(["", "grid-"])
    for name, cause, pretend in [
        ("align-corners-swapped", "has align_corners the other way round", _other_corners),
        ("padding-otherwise", "takes another padding_mode for what lies beyond the image", _other_padding),
        ("nearest", "is that of the nearest pixel alone", _nearest_only),
        ("bilinear", "goes to the nearest two pixels along each axis, where bicubic has four", _linear_only),
    ]
]

SAMPLE = [
    *FAULTS_OF_BOTH,
    *border_faults(RULE),
    as_if(
        RULE,
        0,
        "axes-swapped",
        "reads the grid as (y, x) where it is (x, y)",
        lambda arrays, dy, options: ((arrays[0], arrays[1][..., ::-1]), dy, options),
    ),
    changed(RULE, 1, "grid-axes-swapped", "is (dy, dx) where (dx, dy) belongs", lambda d, a, dy, o: d[..., ::-1]),
    changed(RULE, 1, "grid-in-pixels", "misses the factor W / 2 between a pixel and the grid's unit", _in_pixels),
    changed(RULE, 1, "grid-not-reflected", "has lost the sign with which a reflected place moves", _without_reflection),
    as_if(
        RULE,
        1,
        "grid-one-channel",
        "is that of the first channel alone",
        lambda arrays, dy, options: (arrays, dy.at[..., 1:].set(0), options),
    ),
]

AFFINE = [
    as_if("affine_grid", 0, "align-corners-swapped", "has align_corners the other way round", _other_corners),
    changed("affine_grid", 0, "shift-dropped", "is zero for the shift", lambda d, a, dy, o: d.at[..., -1].set(0)),
    changed(
        "affine_grid",
        0,
        "axes-swapped",
        "has the columns of x and y swapped: theta times (y, x, 1)",
        lambda d, a, dy, o: jnp.concatenate([d[..., -2::-1], d[..., -1:]], -1),
    ),
    changed("affine_grid", 0, "rows-swapped", "has the rows in reverse order", lambda d, a, dy, o: d[:, ::-1]),
    changed(
        "affine_grid",
        0,
        "mean",
        "is averaged over the places instead of summed",
        lambda d, a, dy, o: d / np.prod(dy.shape[1:-1]),
    ),
    as_if("affine_grid", 0, "one-example", "is that of the batch's first example only", first_example),
]

FAULTS: list[Fault] = [*SAMPLE, *AFFINE]
