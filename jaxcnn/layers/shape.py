"""Layers without weights that change the shape: pooling, resizing, padding and flattening."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Function, Params, one_of
from jaxcnn.layers.describe import Field
from jaxcnn.ops.bins import adaptive_bins
from jaxcnn.ops.check import positive
from jaxcnn.ops.geometry import PerAxis, PoolPadding, per_axis
from jaxcnn.ops.pad import Mode
from jaxcnn.ops.pool.shapes import pool_options
from jaxcnn.ops.resize.interpolate import between_corners, weights
from jaxcnn.ops.resize.nearest import nearest
from jaxcnn.ops.resize.places import Coordinates


@dataclass(frozen=True, repr=False)
class Pool(Function):
    """What max, average and Lp pooling share: where their windows lie. The stride is the size unless given."""

    size: PerAxis = 2
    stride: PerAxis | None = None
    padding: PoolPadding = "VALID"

    @property
    def options(self) -> dict[str, Any]:
        """What the operation takes beside x: the layer's fields, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        sizes, options = x.shape[1:-1], self.options
        for name in ("p", "divisor_override"):  # these move no window
            options.pop(name, None)
        windows = pool_options("summary", sizes, **options)
        return field.through(sizes, windows["size"], windows["stride"], windows["padding"], windows.get("dilation", 1))


@dataclass(frozen=True, repr=False)
class MaxPool(Pool):
    """The largest value of each window; see `ops.max_pool`."""

    dilation: PerAxis = 1
    ceil_mode: bool = False

    def forward(self, params: Params, x: Array) -> Array:
        return ops.max_pool(x, **self.options)


@dataclass(frozen=True, repr=False)
class AvgPool(Pool):
    """The mean of each window; see `ops.avg_pool`."""

    count_padding: bool = False
    ceil_mode: bool = False
    dilation: PerAxis = 1
    divisor_override: int | None = None

    def forward(self, params: Params, x: Array) -> Array:
        return ops.avg_pool(x, **self.options)


@dataclass(frozen=True, repr=False)
class LpPool(Pool):
    """(Σ x^p)^(1/p) of each window; see `ops.lp_pool`."""

    p: float = 2
    dilation: PerAxis = 1

    def forward(self, params: Params, x: Array) -> Array:
        return ops.lp_pool(x, **self.options)


@dataclass(frozen=True, repr=False)
class AdaptivePool(Function):
    """What adaptive average and max pooling share: `sizes`, the spatial sizes of the output."""

    sizes: PerAxis

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        """Bins may be unequal: the field is that of the longest."""
        lengths = x.shape[1:-1]
        sizes = per_axis(type(self).__name__, "sizes", self.sizes, len(lengths))
        longest = [int(adaptive_bins(0, w, o).lengths.max()) for w, o in zip(lengths, sizes, strict=True)]
        return field.resized(lengths, sizes, longest), ()


@dataclass(frozen=True, repr=False)
class AdaptiveAvgPool(AdaptivePool):
    """The mean of each of `sizes` bins along each axis; see `ops.adaptive_avg_pool`."""

    def forward(self, params: Params, x: Array) -> Array:
        return ops.adaptive_avg_pool(x, self.sizes)


@dataclass(frozen=True, repr=False)
class AdaptiveMaxPool(AdaptivePool):
    """The largest value of each of `sizes` bins along each axis; see `ops.adaptive_max_pool`."""

    def forward(self, params: Params, x: Array) -> Array:
        return ops.adaptive_max_pool(x, self.sizes)


@dataclass(frozen=True, repr=False)
class Resize(Function):
    """Other spatial sizes, by a factor or as given; see `ops.resize_nearest`, `resize_bilinear` and `resize_bicubic`.

    The new size along an axis is floor(`scale` W), or what `sizes` says; one of the two must be given. Values lie where
    these sizes put them: PyTorch's interpolate(..., recompute_scale_factor=True).
    """

    scale: float | None = None
    sizes: PerAxis | None = None
    method: Literal["nearest", "bilinear", "bicubic"] = "nearest"
    align_corners: bool = False
    antialias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Resize", "method", self.method, ("nearest", "bilinear", "bicubic"))
        if (self.scale is None) == (self.sizes is None):
            raise ValueError(
                f"Resize: scale is {self.scale!r} and sizes is {self.sizes!r}; give one of them, such as Resize(2)."
            )
        if self.scale is not None:
            positive("Resize", "scale", self.scale)
        for option in ("align_corners", "antialias"):
            if getattr(self, option) and self.method == "nearest":
                raise ValueError(f'Resize: {option} is True; that is for method="bilinear" or "bicubic" only.')

    def forward(self, params: Params, x: Array) -> Array:
        sizes = self._sizes(x.shape[1:-1])
        if self.method == "nearest":
            return ops.resize_nearest(x, sizes)
        resize = ops.resize_bilinear if self.method == "bilinear" else ops.resize_bicubic
        return resize(x, sizes, align_corners=self.align_corners, antialias=self.antialias)

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        """A copy reads one position, a line two along each axis that changes; smaller images may skip some."""
        lengths = x.shape[1:-1]
        sizes = self._sizes(lengths)
        read = [self._read(w, o) for w, o in zip(lengths, sizes, strict=True)]
        reach = [int(max(np.ptp(np.flatnonzero(row)) + 1 for row in rows)) for rows in read]
        return field.resized(lengths, sizes, reach), tuple(int((~rows.any(0)).sum()) for rows in read)

    def _sizes(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if self.sizes is not None:
            return per_axis("Resize", "sizes", self.sizes, len(lengths))
        sizes = tuple(math.floor(w * (self.scale or 1)) for w in lengths)
        if min(sizes, default=1) < 1:
            raise ValueError(f"Resize: scale {self.scale} leaves nothing of sizes {lengths}; take a larger one.")
        return sizes

    def _read(self, length: int, size: int) -> Any:
        """(O, W): which positions each output reads."""
        if self.method == "nearest":
            return np.arange(length) == nearest(length, size)[:, None]
        a = None if self.method == "bilinear" else -0.5  # its slope moves no zero
        scale = between_corners(length, size) if self.align_corners and self.antialias else None
        coordinates: Coordinates = "align_corners" if self.align_corners and not self.antialias else "half_pixel"
        words = {"antialias": self.antialias, "exclude_outside": self.antialias}
        return weights(length, size, scale, a=a, coordinates=coordinates, **words) != 0


@dataclass(frozen=True, repr=False)
class PixelShuffle(Function):
    """Every r channels of a pixel become a block of r pixels along each axis; see `ops.pixel_shuffle`."""

    factor: PerAxis = 2

    def forward(self, params: Params, x: Array) -> Array:
        return ops.pixel_shuffle(x, self.factor)

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        """Neighbours in a block see the same; blocks lie as far apart as pixels did."""
        lengths = x.shape[1:-1]
        factor = per_axis("PixelShuffle", "factor", self.factor, len(lengths))
        larger = [w * r for w, r in zip(lengths, factor, strict=True)]
        return field.resized(lengths, larger, (1,) * len(lengths)), ()


class GlobalPool(Function):
    """What global average and max pooling share: every value depends on the whole image."""

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.everything(), ()


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(GlobalPool):
    """(n, *spatial, c) to (n, c) by the mean over space."""

    def forward(self, params: Params, x: Array) -> Array:
        return ops.global_avg_pool(x)


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(GlobalPool):
    """(n, *spatial, c) to (n, c) by the maximum over space."""

    def forward(self, params: Params, x: Array) -> Array:
        return ops.global_max_pool(x)


@dataclass(frozen=True, repr=False)
class Pad(Function):
    """Enlarge the image by zeros, by a `value`, or by what a mode shows beyond the border; see `ops.pad`."""

    padding: int | Sequence[Sequence[int]]
    mode: Mode = "zeros"
    value: float = 0.0

    def forward(self, params: Params, x: Array) -> Array:
        return ops.pad(x, self.padding, mode=self.mode, value=self.value)


@dataclass(frozen=True, repr=False)
class Flatten(Function):
    """(n, ...) to (n, features), row-major."""

    def forward(self, params: Params, x: Array) -> Array:
        return ops.flatten(x)
