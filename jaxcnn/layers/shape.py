"""Layers without weights that change the shape: pooling, padding and flattening."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.describe import Field
from jaxcnn.ops.geometry import Padding, PerAxis
from jaxcnn.ops.pad import Mode


@dataclass(frozen=True, repr=False)
class Pool(Layer):
    """What max and average pooling share: where their windows lie. The stride is the size unless given."""

    size: PerAxis = 2
    stride: PerAxis | None = None
    padding: Padding = "VALID"

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        stride = self.size if self.stride is None else self.stride
        return field.through(x.shape[1:-1], self.size, stride, self.padding)


@dataclass(frozen=True, repr=False)
class MaxPool(Pool):
    """The largest value of each window; see `ops.max_pool`."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.max_pool(x, self.size, stride=self.stride, padding=self.padding), {}


@dataclass(frozen=True, repr=False)
class AvgPool(Pool):
    """The mean of each window; see `ops.avg_pool`."""

    count_padding: bool = False

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y = ops.avg_pool(x, self.size, stride=self.stride, padding=self.padding, count_padding=self.count_padding)
        return y, {}


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """(n, *spatial, c) to (n, c) by the mean over space."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.global_avg_pool(x), {}

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.everything(), ()


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(Layer):
    """(n, *spatial, c) to (n, c) by the maximum over space."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.global_max_pool(x), {}

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.everything(), ()


@dataclass(frozen=True, repr=False)
class Pad(Layer):
    """Enlarge the image by zeros, or by what a mode shows beyond the border; see `ops.pad`."""

    padding: int | Sequence[Sequence[int]]
    mode: Mode = "zeros"

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.pad(x, self.padding, mode=self.mode), {}


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """(n, ...) to (n, features), row-major."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.flatten(x), {}
