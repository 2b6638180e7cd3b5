"""Layers with weights: convolutions and the fully connected layer."""

import functools
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Function, Params, State, described, entries, fold, one_of
from jaxcnn.layers.describe import Field
from jaxcnn.ops.check import group_count
from jaxcnn.ops.geometry import Padding, Pair, PerAxis, count, per_axis, resolve_padding
from jaxcnn.ops.pad import MODES, Mode
from jaxcnn.ops.precision import Precision, multiplied_in

INITIALIZERS = ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "zeros")
DISTRIBUTIONS: dict[str, Literal["truncated_normal", "uniform"]] = {"normal": "truncated_normal", "uniform": "uniform"}


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def weights(init: str, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Initial weights (*window, in, out) by one of `INITIALIZERS`; the window counts towards the fan-in.

    he: variance 2 / fan_in (He et al. 2015), for relu. glorot: 2 / (fan_in + fan_out) (Glorot & Bengio 2010), for
    tanh and sigmoid. lecun: 1 / fan_in (LeCun et al. 1998).
    """
    if init == "zeros":
        return jnp.zeros(shape, dtype)
    scheme, distribution = init.split("_")
    fan_in, fan_out = prod(shape[:-1]), prod(shape[:-2]) * shape[-1]
    scale = {"he": 2, "lecun": 1, "glorot": 2 * fan_in / (fan_in + fan_out)}[scheme]
    draw = jax.nn.initializers.variance_scaling(scale, "fan_in", DISTRIBUTIONS[distribution])
    # As a matrix, of the same numbers: XLA takes twice as long to compile draws of four axes.
    made: Array = draw(key, (fan_in, shape[-1]), dtype)
    return made.reshape(shape)


def _window(owner: str, size: PerAxis, x: Array | ShapeDtypeStruct) -> tuple[int, ...]:
    """The window's size along each spatial axis of x; ValueError where x is no batch of images."""
    if len(x.shape) not in (3, 4, 5):
        raise ValueError(
            f"{owner}: the input has shape {x.shape}; expected (n, *spatial, channels) with 1 to 3 spatial axes."
        )
    return per_axis(owner, "size", size, len(x.shape) - 2)


def _padding_mode(owner: str, padding: Padding, mode: str) -> None:
    """ValueError for an unknown mode, and where the padding is one: Flax writes padding="CIRCULAR"."""
    one_of(owner, "padding_mode", mode, MODES)
    if isinstance(padding, str) and padding.lower() in MODES:
        raise ValueError(
            f"{owner}: padding is {padding!r}; it says how much, and padding_mode what. "
            f'Write padding="SAME", padding_mode={padding.lower()!r}.'
        )


@dataclass(frozen=True, repr=False)
class Conv(Function):
    """Cross-correlation with learned kernels (*window, cin / groups, features); see `ops.conv` for the options.

    `size` is the window, one int for every axis or one for each; the number of spatial axes is the input's. `precision`
    may be "bfloat16": the operands' own, everything else stays float32. `padding` says how much stands beyond the
    border, and `padding_mode` what: "zeros", "reflect", "replicate", "symmetric" or "circular", as in `ops.pad`.
    """

    features: int
    size: PerAxis = 3
    stride: PerAxis = 1
    padding: Padding = "SAME"
    dilation: PerAxis = 1
    groups: int = 1
    use_bias: bool = True
    initializer: str = "he_normal"
    precision: Precision | None = None
    padding_mode: Mode = field(default="zeros", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(type(self).__name__, "initializer", self.initializer, INITIALIZERS)
        multiplied_in(type(self).__name__, self.precision)
        count(type(self).__name__, "features", self.features)
        _padding_mode(type(self).__name__, self.padding, self.padding_mode)

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        x = described(x)
        owner = type(self).__name__
        window, cin = _window(owner, self.size, x), x.shape[-1]
        shape = (*window, cin // group_count(owner, self.groups, cin, "the input"), self.features)
        params = {"kernel": weights(self.initializer, fold(key, "kernel"), shape, x.dtype)}
        return params | ({"bias": jnp.zeros(self.features, x.dtype)} if self.use_bias else {}), {}

    def forward(self, params: Params, x: Array) -> Array:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = ops.pad(x, self.pads(x), mode=self.padding_mode), "VALID"
        return ops.conv(
            x,
            self.kernel(params),
            self.bias(params),
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
            precision=self.precision,
        )

    def kernel(self, params: Params) -> Array:
        """What is convolved with: the learned kernel."""
        return params["kernel"]

    def bias(self, params: Params) -> Array | None:
        """The learned bias, where there is one."""
        bias: Array | None = entries("params", params, "kernel", "bias" if self.use_bias else None)[1]
        return bias

    def pads(self, x: Array | ShapeDtypeStruct) -> tuple[Pair, ...]:
        """The padding in numbers."""
        window = _window("Conv", self.size, x)
        given = (("stride", self.stride), ("dilation", self.dilation))
        strides, dilations = (per_axis("Conv", *each, len(window)) for each in given)
        return resolve_padding("Conv", self.padding, x.shape[1:-1], window, strides, dilations)

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.through(x.shape[1:-1], self.size, self.stride, self.padding, self.dilation, self.padding_mode)

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return prod(y.shape[1:]) * prod(_window("Conv", self.size, x)) * (x.shape[-1] // self.groups)


@dataclass(frozen=True, repr=False)
class WeightStandardizedConv(Conv):
    """`Conv` with the kernel of each output channel given mean 0 and variance 1 first; see `ops.weight_standardize`.

    What is learned is the kernel before that. Put GroupNorm behind it (Qiao et al. 2019).
    """

    epsilon: float = 1e-5

    def kernel(self, params: Params) -> Array:
        return ops.weight_standardize(params["kernel"], epsilon=self.epsilon)


@dataclass(frozen=True, repr=False)
class DepthwiseConv(Function):
    """`Conv` of each input channel by itself, into `multiplier` output channels: as many groups as channels come in."""

    size: PerAxis = 3
    stride: PerAxis = 1
    padding: Padding = "SAME"
    dilation: PerAxis = 1
    multiplier: int = 1
    use_bias: bool = True
    initializer: str = "he_normal"
    precision: Precision | None = None
    padding_mode: Mode = field(default="zeros", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("DepthwiseConv", "initializer", self.initializer, INITIALIZERS)
        multiplied_in("DepthwiseConv", self.precision)
        count("DepthwiseConv", "multiplier", self.multiplier)
        _padding_mode("DepthwiseConv", self.padding, self.padding_mode)

    def conv(self, x: Array | ShapeDtypeStruct) -> Conv:
        """The same for the channels of x."""
        channels = x.shape[-1]
        return Conv(
            channels * self.multiplier,
            self.size,
            self.stride,
            self.padding,
            self.dilation,
            channels,
            self.use_bias,
            self.initializer,
            self.precision,
            padding_mode=self.padding_mode,
        )

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return self.conv(described(x)).init(key, x)

    def forward(self, params: Params, x: Array) -> Array:
        return self.conv(x).forward(params, x)

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return self.conv(x).look(x, field)

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return self.conv(x).multiply_adds(x, y)


@dataclass(frozen=True, repr=False)
class ConvTranspose(Conv):
    """Transposed convolution with learned kernels (*window, features / groups, cin); see `ops.conv_transpose`.

    A stride of 2 doubles the image: with "SAME" padding each axis becomes `stride` times as long. Padding crops its
    output, so that there is no border to show anything at: `padding_mode` is "zeros", as PyTorch's.
    """

    output_padding: PerAxis = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.padding_mode != "zeros":
            raise ValueError(
                f"ConvTranspose: padding_mode is {self.padding_mode!r}; only 'zeros' is possible, since padding crops "
                f"the output here. To pad the input, put Pad(1, {self.padding_mode!r}) before it."
            )
        group_count("ConvTranspose", self.groups, self.features, "the output")

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        """The kernel is drawn as that of a `Conv` from cin to features, for its fan-in; then its channels are moved."""
        params, state = super().init(key, x)
        return params | {"kernel": channels_swapped(params["kernel"], self.groups)}, state

    def forward(self, params: Params, x: Array) -> Array:
        return ops.conv_transpose(
            x,
            self.kernel(params),
            self.bias(params),
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
            precision=self.precision,
        )

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.upsampled(self.size, self.stride, self.dilation), ()

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return prod(x.shape[1:]) * prod(_window("ConvTranspose", self.size, x)) * (self.features // self.groups)


def channels_swapped(kernel: Array, groups: int) -> Array:
    """A kernel (*window, a / groups, b) of groups as (*window, b / groups, a): its own inverse."""
    *window, share, b = kernel.shape
    swapped = jnp.swapaxes(kernel.reshape(*window, share, groups, b // groups), -1, -3)
    return swapped.reshape(*window, b // groups, share * groups)


@dataclass(frozen=True, repr=False)
class Dense(Function):
    """Fully connected: y = x kernel + bias over the last axis; put `Flatten()` before it for images."""

    features: int
    use_bias: bool = True
    initializer: str = "he_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Dense", "initializer", self.initializer, INITIALIZERS)
        count("Dense", "features", self.features)

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        x = described(x)
        shape = (x.shape[-1], self.features)
        params = {"kernel": weights(self.initializer, fold(key, "kernel"), shape, x.dtype)}
        return params | ({"bias": jnp.zeros(self.features, x.dtype)} if self.use_bias else {}), {}

    def forward(self, params: Params, x: Array) -> Array:
        return ops.dense(x, *entries("params", params, "kernel", "bias" if self.use_bias else None))

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return (field.everything() if len(x.shape) == 2 else field), ()

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return prod(y.shape[1:]) * x.shape[-1]
