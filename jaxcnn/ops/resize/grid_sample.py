"""Images read at the places that a grid names, and the grids of affine maps: spatial transformers.

Source: Jaderberg et al. 2015, "Spatial transformer networks", sections 3.2 and 3.3. As in PyTorch a place is (x, y), or
(x, y, z), each from -1 to 1 across the image: x along its last spatial axis.
"""

from __future__ import annotations

import functools
import math
import operator
from itertools import product
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, floating, image
from jaxcnn.ops.geometry import PerAxis, per_axis
from jaxcnn.ops.resize.places import one_of
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Grid = Float[Array, "n *out axes"]
Mode = Literal["bilinear", "nearest", "bicubic"]
PaddingMode = Literal["zeros", "border", "reflection"]
A = -0.75  # the slope of the cubic at 1; see `resize_bicubic`


class Corner(NamedTuple):
    """One of the pixels around each place, and what it counts there.

    Attributes:
      at: (n, *out), its number in the image, row by row.
      inside: (n, *out), whether the image has it; else its value is 0.
      weight: (n, *out).
      slopes: for each spatial axis how fast the weight moves with the grid's coordinate along it.
    """

    at: Array
    inside: Array
    weight: Array
    slopes: list[Array]


def _position(g: Array, length: int, mode: Mode, padding_mode: PaddingMode, align_corners: bool) -> tuple[Array, Array]:
    """Where a coordinate from -1 to 1 lies among the pixels 0, ..., W - 1, and how fast it moves: its slope in g.

    -1 and 1 are the outer borders of the border pixels, (g + (W - 1) / W) W / 2; with `align_corners` their centres,
    (g + 1) (W - 1) / 2. It is added before it is multiplied: XLA may compute a place twice, for the pixel and for its
    weight, and fuse a multiplication with an addition behind it in one of the two alone; then of a place on a pixel the
    one would be below it, and the other not. "border" stops at the border pixels. "reflection" turns back at -1 and 1
    as often as it takes, and then stops there. Bicubic has pixels beyond the border pixels for both, see `_among`. All
    places that are far enough from the image are alike.
    """
    rate = (length - 1 if align_corners else length) / 2
    at, slope = (g + (1 if align_corners else (length - 1) / length)) * rate, jnp.full_like(g, rate)
    if padding_mode == "reflection" and not (align_corners and length == 1):
        low, span = (0, length - 1) if align_corners else (-0.5, length)
        before = at < low
        away = jnp.where(before, low - at, at - low)
        turns = jnp.floor(away / span)
        on, turned = away - turns * span, turns % 2 == 1
        at = low + jnp.where(turned, span - on, on)
        slope = jnp.where(before != turned, -slope, slope)
    least, most = (-3, length + 2) if padding_mode == "zeros" or mode == "bicubic" else (0, length - 1)
    slope = jnp.where((at > least) & (at < most), slope, 0)
    return lax.clamp(jnp.asarray(least, at.dtype), at, jnp.asarray(most, at.dtype)), slope


def _among(pixel: Array, length: int, padding_mode: PaddingMode, align_corners: bool) -> Array:
    """Which pixel of the image stands at this one, that may lie beyond it: none for "zeros"."""
    if padding_mode == "border":
        return jnp.clip(pixel, 0, length - 1)
    if padding_mode == "reflection":
        last = 2 * (length - 1) if align_corners else 2 * length - 1  # shows what the first one shows
        on = pixel % max(last + (not align_corners), 1)
        return jnp.minimum(on, last - on)
    return pixel


def _corners(
    lengths: tuple[int, ...], grid: Grid, mode: Mode, padding_mode: PaddingMode, align_corners: bool
) -> list[Corner]:
    """The 2, 4 or 8 pixels around each place; nearest, the one that is; bicubic, 4 along each axis."""
    choices = []  # for each axis the (pixel, weight, slope) below and above
    for axis, length in enumerate(lengths):
        at, slope = _position(grid[..., len(lengths) - 1 - axis], length, mode, padding_mode, align_corners)
        low = jnp.floor(at)
        part = at - low
        if mode == "nearest":
            choices.append([(jnp.round(at), jnp.where(jnp.isnan(at), at, 1), jnp.zeros_like(at))])
        elif mode == "bilinear":
            choices.append([(low, 1 - part, -slope), (low + 1, part, slope)])
        else:
            pixels = (_among(low + k, length, padding_mode, align_corners) for k in (-1, 0, 1, 2))
            choices.append([(p, w, slope * v) for p, (w, v) in zip(pixels, _cubic(part), strict=True)])
    return [_corner(lengths, choice) for choice in product(*choices)]


def _cubic(part: Array) -> list[tuple[Array, Array]]:
    """Weight and slope of the pixels 1 before, 0, 1 and 2 behind the one below the place, by Keys's cubic."""

    def near(d: Array) -> tuple[Array, Array]:
        return ((A + 2) * d - (A + 3)) * d * d + 1, (3 * (A + 2) * d - 2 * (A + 3)) * d

    def far(d: Array) -> tuple[Array, Array]:
        return A * (((d - 5) * d + 8) * d - 4), A * ((3 * d - 10) * d + 8)

    farther, nearer = (far(1 + part), near(part)), (near(1 - part), far(2 - part))  # as the part grows
    return [*farther, *((w, -v) for w, v in nearer)]


def _corner(lengths: tuple[int, ...], choice: Any) -> Corner:
    """The pixel that is chosen along each axis; the weights of the axes multiply."""
    pixels, weights, slopes = zip(*choice, strict=True)
    inside = [(p >= 0) & (p < length) for p, length in zip(pixels, lengths, strict=True)]
    at, seen, weight = jnp.int32(0), jnp.bool_(True), jnp.ones_like(weights[0])
    for p, within, w, length in zip(pixels, inside, weights, lengths, strict=True):
        at = at * length + jnp.where(within, p, 0).astype(jnp.int32)
        seen, weight = seen & within, weight * w
    moving = [
        functools.reduce(operator.mul, (w for other, w in enumerate(weights) if other != axis), slope)
        for axis, slope in enumerate(slopes)
    ]
    return Corner(at, seen, weight, moving)


def _worked_out(x: Image, grid: Grid, **words: Any) -> tuple[Array, list[Corner]]:
    """x with its pixels in one row, and the corners; both in the dtype that y is computed in."""
    dtype = jnp.promote_types(accumulator(x), accumulator(grid))
    lengths = x.shape[1:-1]
    return x.astype(dtype).reshape(x.shape[0], math.prod(lengths), x.shape[-1]), _corners(
        lengths, grid.astype(dtype), **words
    )


def _value(pixels: Array, corner: Corner) -> Array:
    """(n, *out, c): the corner's pixel, or 0."""
    taken = jax.vmap(lambda image, at: jnp.take(image, at, 0, mode="clip"))(pixels, corner.at)
    return jnp.where(corner.inside[..., None], taken, 0)


def _sample_plain(x: Image, grid: Grid, **words: Any) -> Image:
    """The sum of the corners, each times its weight."""
    pixels, corners = _worked_out(x, grid, **words)
    terms = (_value(pixels, corner) * corner.weight[..., None] for corner in corners)
    return functools.reduce(operator.add, terms).astype(x.dtype)


def _sample_forward(x: Image, grid: Grid, **words: Any) -> tuple[Image, tuple[Image, Grid]]:
    """y, and the arguments."""
    return _sample_plain(x, grid, **words), (x, grid)


def _sample_backward(residuals: Any, dy: Image, **words: Any) -> tuple[Image, Grid]:
    """The cotangents (dx, dgrid) of y[p] = Σ_k w[k, p] x[q(k, p)], k the corners around the place g[p].

    Every corner is read with its weight, so dx[q] = Σ_{k, p: q(k, p) = q} w[k, p] dy[p]. As the place moves a little
    the corners stay and their weights move: dg[p] = Σ_k ∂w[k, p] / ∂g[p] Σ_c x[q(k, p), c] dy[p, c].

    With t the way from the lower pixel to the upper one along an axis, its factor of a weight is 1 - t below and t
    above, with the slopes -1 and 1 in t; a weight's slope along one axis is that times the factors of the others. t
    moves with g as the position does, W / 2 or (W - 1) / 2 times as fast, backwards where it has been reflected an odd
    number of times, and not at all beyond the border where that is what the padding stops at. On a pixel, where the
    slopes of both sides differ, it is the one above. The nearest pixel does not change as the place moves: dg = 0.
    Bicubic has four pixels along each axis, with the factors k(1 + t), k(t), k(1 - t), k(2 - t), k being Keys's cubic
    (`resize_bicubic`), and the slopes k'(1 + t), k'(t), -k'(1 - t), -k'(2 - t).

    Source: Jaderberg et al. 2015, equations 6 and 7.
    """
    x, grid = residuals
    pixels, corners = _worked_out(x, grid, **words)
    dy, dx, dg = dy.astype(pixels.dtype), jnp.zeros_like(pixels), [jnp.zeros((), pixels.dtype)] * len(x.shape[1:-1])
    for corner in corners:
        share = jnp.where(corner.inside[..., None], dy * corner.weight[..., None], 0)
        dx = jax.vmap(lambda image, at, added: image.at[at].add(added, mode="clip"))(dx, corner.at, share)
        along = (_value(pixels, corner) * dy).sum(-1)
        dg = [d + slope * along for d, slope in zip(dg, corner.slopes, strict=True)]
    return dx.reshape(x.shape).astype(x.dtype), jnp.stack(dg[::-1], -1).astype(grid.dtype)


@rule(_sample_plain, _sample_forward, _sample_backward)
def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    *,
    mode: Mode = "bilinear",
    padding_mode: PaddingMode = "zeros",
    align_corners: bool = False,
    layout: Layout = "NHWC",
) -> Array:
    """x read at the places that `grid` names, each output at its own: PyTorch's and ONNX's operation of this name.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      grid: (n, *out, axes), in either layout: for each output the place (x), (x, y) or (x, y, z) that it reads, x along
        the last spatial axis, each from -1 to 1 across the image; `affine_grid` makes one.
      mode: "bilinear", linear between the pixels around the place along each axis (ONNX: "linear"); "nearest", the
        nearest pixel, of two equally near ones the even one; or "bicubic" (ONNX: "cubic"), Keys's cubic with a = -0.75
        over four pixels along each of 1 or 2 axes.
      padding_mode: what lies beyond the image: "zeros"; "border", the border pixel's value; or "reflection", the image
        mirrored at its borders, again and again.
      align_corners: whether -1 and 1 are the centres of the corner pixels, and not the outer borders of the image.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *out, c), or (n, c, *out), in x's dtype. Half precision is computed in float32; a grid in half
    precision has but 3 digits, so that float32 is the better choice for it, whatever x is.

    Raises: ValueError for a wrong rank, an empty axis, integer data, a grid that does not match x, and unknown words.

    The backward pass and its derivation: `grid_sample.backward`.
    """
    op = "grid_sample"
    x, axes = image(op, x, layout)
    grid = floating(op, "grid", grid)
    one_of(op, "mode", mode, ("bilinear", "nearest", "bicubic"))
    one_of(op, "padding_mode", padding_mode, ("zeros", "border", "reflection"))
    if mode == "bicubic" and axes > 2:
        raise ValueError(
            f"{op}: mode is 'bicubic' and x has {axes} spatial axes (shape {x.shape}, channels last); it is for 1 or "
            "2. Take mode='bilinear'."
        )
    if grid.ndim != axes + 2 or grid.shape[-1] != axes or grid.shape[0] != x.shape[0]:
        raise ValueError(
            f"{op}: grid has shape {grid.shape}; expected (n, *out, {axes}) with {axes} axes of output and n = "
            f"{x.shape[0]} for x of shape {x.shape} (channels last). One grid for all images is "
            "jnp.broadcast_to(grid, (n, *grid.shape))."
        )
    y = grid_sample.apply(x, grid, mode=mode, padding_mode=padding_mode, align_corners=bool(align_corners))
    return channels_back(y, layout)


def _coordinates(sizes: tuple[int, ...], align_corners: bool) -> list[Any]:
    """x, y and z of an output's places, in this order, each such that they broadcast over (*sizes,); and 1."""
    values = []
    for axis, size in reversed([*enumerate(sizes)]):
        step = 2 * np.arange(size)
        along = (step - (size - 1)) / max(size - 1, 1) if align_corners else (step + 1 - size) / size
        values.append(along.reshape(-1, *[1] * (len(sizes) - 1 - axis)))
    return [*values, np.ones(())]


def _grid_plain(theta: Array, *, sizes: Any, align_corners: bool) -> Grid:
    """Each place (x, y, 1) times the matrix."""
    base = jnp.stack([jnp.broadcast_to(c, sizes) for c in _coordinates(sizes, align_corners)], -1)
    wide = theta.astype(accumulator(theta))
    grid = jnp.einsum("nak,...k->n...a", wide, base.astype(wide.dtype), precision=lax.Precision.HIGHEST)
    return grid.astype(theta.dtype)


def _grid_forward(theta: Array, *, sizes: Any, align_corners: bool) -> tuple[Grid, tuple[()]]:
    """The grid as a sum of outer products, and nothing: it is linear in theta."""
    wide = theta.astype(accumulator(theta))
    places = wide.reshape(theta.shape[0], *[1] * len(sizes), *theta.shape[1:])
    terms = [
        places[..., k] * jnp.asarray(c, wide.dtype)[..., None] for k, c in enumerate(_coordinates(sizes, align_corners))
    ]
    grid = jnp.broadcast_to(sum(terms), (theta.shape[0], *sizes, len(sizes)))
    return grid.astype(theta.dtype), ()


def _grid_backward(residuals: Any, dgrid: Grid, *, sizes: Any, align_corners: bool) -> tuple[Array]:
    """The cotangent dtheta of g[p, a] = Σ_k theta[a, k] b[p, k], b[p] = (x, y, 1) at the place p.

    ∂g[p, a] / ∂theta[a, k] = b[p, k], and theta serves every place: dtheta[a, k] = Σ_p dg[p, a] b[p, k].
    """
    wide = dgrid.astype(accumulator(dgrid))
    space = tuple(range(1, dgrid.ndim - 1))
    sums = [(wide * jnp.asarray(c, wide.dtype)[..., None]).sum(space) for c in _coordinates(sizes, align_corners)]
    return (jnp.stack(sums, -1).astype(dgrid.dtype),)


@rule(_grid_plain, _grid_forward, _grid_backward)
def affine_grid(theta: ArrayLike, sizes: PerAxis, *, align_corners: bool = False) -> Array:
    """The grid that `grid_sample` reads an affine map of the image by: each output's own place, times a matrix.

    Args:
      theta: (n, axes, axes + 1) for 1, 2 or 3 spatial axes, a matrix and a shift for each example: an output at (x, y)
        reads theta @ (x, y, 1). The identity in two dimensions is [[1, 0, 0], [0, 1, 0]].
      sizes: the spatial sizes of the output, one for all axes or one for each; not the whole shape, as for PyTorch.
      align_corners: whether -1 and 1 are the centres of the corner pixels; as `grid_sample` will be told.

    Returns: (n, *sizes, axes), (x, y) from -1 to 1 where theta is the identity.

    Raises: ValueError for a theta of another shape, integer data, and sizes below 1.

    The backward pass and its derivation: `affine_grid.backward`.
    """
    op = "affine_grid"
    theta = floating(op, "theta", theta)
    if theta.ndim != 3 or theta.shape[1] not in (1, 2, 3) or theta.shape[2] != theta.shape[1] + 1:
        raise ValueError(
            f"{op}: theta has shape {theta.shape}; expected (n, axes, axes + 1) with 1, 2 or 3 spatial axes, such as "
            "(n, 2, 3). For a single matrix write theta[None]."
        )
    sizes = per_axis(op, "sizes", sizes, theta.shape[1])
    return affine_grid.apply(theta, sizes=sizes, align_corners=bool(align_corners))
