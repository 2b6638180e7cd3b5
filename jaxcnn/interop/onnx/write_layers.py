"""What each kind of layer becomes in an ONNX graph, where channels come second.

A new kind is a function with `@written_as(Kind)` that adds nodes to the graph and returns the name of what they make.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import ShapeDtypeStruct

from jaxcnn import layers, ops
from jaxcnn.interop.onnx.write_graph import Graph
from jaxcnn.layers import Int8, Layer, pointwise
from jaxcnn.layers.reparametrize import Reparametrized
from jaxcnn.ops.geometry import explicit_padding, extent, per_axis, resolve_padding
from jaxcnn.ops.pool.shapes import pool_options
from jaxcnn.ops.resize.nearest import nearest


class Site(NamedTuple):
    """A layer in its place in a network.

    Attributes:
      graph: to which it adds its nodes.
      path: as in params.
      layer: with its params and state.
      x: the name of what goes in.
      shape, out: of what goes in, and of what comes out, as the layer itself has it: (n, *spatial, c), or (n, c).
    """

    graph: Graph
    path: str
    layer: Any
    params: dict[str, Any]
    state: dict[str, Any]
    x: str
    shape: tuple[int, ...]
    out: tuple[int, ...]

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of what a node makes; attributes that are None are left out."""
        given = {name: value for name, value in attributes.items() if value is not None}
        return self.graph.node(kind, *inputs, at=self.path, **given)

    def array(self, array: Any, name: str) -> str:
        """The name of an array of the layer's, or of one in 8 bits as floats."""
        written = self.graph.int8 if isinstance(array, Int8) else self.graph.array
        return written(array, self._named(name))

    def whole(self, numbers: Any, name: str) -> str:
        """The name of integers: sizes, axes or places."""
        return self.graph.whole(numbers, self._named(name))

    def _named(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def weight(self, name: str, change: Callable[[Any], Any] = lambda a: a) -> str:
        """The name of a parameter, or of the running statistics, as `change` makes it."""
        return self.array(jax.tree.map(lambda a: change(np.asarray(a)), {**self.params, **self.state}[name]), name)

    def bias(self) -> list[str]:
        """The name of the bias, where there is one."""
        return [self.weight("bias")] if "bias" in self.params else []

    def of_channels(self, name: str) -> str:
        """A vector with an entry for each channel, such that it broadcasts."""
        return self.weight(name, lambda a: a.reshape(-1, *[1] * self.axes))

    @property
    def epsilon(self) -> float:
        """Of a norm; what is a float there must be one."""
        return float(self.layer.epsilon)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the spatial axes."""
        return self.shape[1:-1]

    @property
    def axes(self) -> int:
        """How many are spatial."""
        return len(self.sizes)

    def per_axis(self, value: Any) -> list[int]:
        """One number for each spatial axis."""
        return list(per_axis(type(self.layer).__name__, "option", value, self.axes))

    def channels_last(self, x: str) -> str:
        """x as the layer itself has it."""
        return self.node("Transpose", x, perm=[0, *range(2, 2 + self.axes), 1]) if self.axes else x

    def refused(self, why: str) -> ValueError:
        """The error for a layer that can't be written."""
        return ValueError(f"layer {self.path!r} is {self.layer!r}, which can't be written as ONNX: {why}.")


WRITTEN: dict[type[Layer], Callable[[Site], str]] = {}


def written_as(*kinds: type[Layer]) -> Callable[[Callable[[Site], str]], Callable[[Site], str]]:
    """Enter how layers of these kinds are written."""

    def entered(function: Callable[[Site], str]) -> Callable[[Site], str]:
        WRITTEN.update(dict.fromkeys(kinds, function))
        return function

    return entered


def write(site: Site) -> str:
    """The name of what the layer makes. Raises ValueError, with its path, for one that can't be written."""
    if type(site.layer) not in WRITTEN:
        raise site.refused("its kind is not known there")
    return WRITTEN[type(site.layer)](site)


@written_as(layers.Dropout, layers.SpatialDropout, layers.StochasticDepth)
def _nothing(site: Site) -> str:
    return site.x


@written_as(layers.SpectralNorm, layers.WeightNorm)
def _reparametrized(site: Site) -> str:
    """The layer with the kernel that is made for it."""
    outer: Reparametrized = site.layer
    own = jnp.asarray({**site.params, **site.state}[outer.adds])
    kernel, _ = outer.made(jnp.asarray(site.params["kernel"]), own, train=False)
    params = {name: a for name, a in site.params.items() if name != outer.adds} | {"kernel": kernel}
    return write(site._replace(layer=outer.layer, params=params, state={}))


@written_as(layers.WeightStandardizedConv)
def _standardized(site: Site) -> str:
    params = {name: jnp.asarray(a) for name, a in site.params.items()}
    return _conv(site._replace(params=params | {"kernel": site.layer.kernel(params)}))


@written_as(layers.DepthwiseConv)
def _depthwise(site: Site) -> str:
    return _conv(site._replace(layer=site.layer.conv(ShapeDtypeStruct(site.shape, np.float32))))


@written_as(layers.Conv)
def _conv(site: Site) -> str:
    layer: layers.Conv = site.layer
    x, pads = site.x, layer.pads(ShapeDtypeStruct(site.shape, np.float32))
    if layer.padding_mode != "zeros":
        x, pads = _shown(site, pads, layer.padding_mode), ((0, 0),) * site.axes
    return site.node(
        "Conv",
        x,
        site.weight("kernel", _outputs_first),
        *site.bias(),
        kernel_shape=site.per_axis(layer.size),
        strides=site.per_axis(layer.stride),
        dilations=site.per_axis(layer.dilation),
        pads=_ends(pads),
        group=layer.groups,
    )


@written_as(layers.ConvTranspose)
def _conv_transpose(site: Site) -> str:
    """Whole strides of output padding are zeros behind x, as in `ops.conv_transpose`: runtimes take less than one."""
    layer: layers.ConvTranspose = site.layer
    window, stride, dilation = (site.per_axis(each) for each in (layer.size, layer.stride, layer.dilation))
    given = layer.output_padding
    extra = [given] * site.axes if isinstance(given, int) else list(given)
    more = [(0, o // s) for o, s in zip(extra, stride, strict=True)]
    x = _padded(site, more) if any(map(any, more)) else site.x
    sizes = [w + high for w, (_, high) in zip(site.sizes, more, strict=True)]
    full = [(w - 1) * s + extent(k, d) for w, s, k, d in zip(sizes, stride, window, dilation, strict=True)]
    cut = [w * s for w, s in zip(sizes, stride, strict=True)] if layer.padding == "SAME" else full
    pads = resolve_padding("ConvTranspose", layer.padding, cut, window, stride, dilation)
    return site.node(
        "ConvTranspose",
        x,
        site.weight("kernel", _outputs_first),
        *site.bias(),
        kernel_shape=window,
        strides=stride,
        dilations=dilation,
        pads=_ends(pads),
        output_padding=[o - f + sum(ends) for o, f, ends in zip(site.out[1:-1], full, pads, strict=True)],
        group=layer.groups,
    )


@written_as(layers.Dense)
def _dense(site: Site) -> str:
    """On images a 1×1 convolution."""
    if not site.axes:  # transB, or ONNX Runtime multiplies kernels in 8 bits with x in 8 bits
        return site.node("Gemm", site.x, site.weight("kernel", _outputs_first), *site.bias(), transB=1)
    kernel = site.weight("kernel", lambda a: _outputs_first(a).reshape(*a.shape[::-1], *[1] * site.axes))
    return site.node("Conv", site.x, kernel, *site.bias())


@written_as(layers.BatchNorm)
def _batch_norm(site: Site) -> str:
    arrays = [site.weight(name) for name in ("scale", "bias", "mean", "var")]
    return site.node("BatchNormalization", site.x, *arrays, epsilon=site.epsilon)


@written_as(layers.LayerNorm)
def _layer_norm(site: Site) -> str:
    arrays = [site.weight("scale"), site.weight("bias")]
    y = site.node("LayerNormalization", site.channels_last(site.x), *arrays, axis=-1, epsilon=site.epsilon)
    return site.node("Transpose", y, perm=[0, 1 + site.axes, *range(1, 1 + site.axes)]) if site.axes else y


@written_as(layers.GroupNorm)
def _group_norm(site: Site) -> str:
    """Groups as the channels of instance norm; the operator of this name has one γ and β for all of a group."""
    groups, channels = site.layer.groups, site.shape[-1]
    grouped = site.node("Reshape", site.x, site.whole([0, groups, -1], "groups"))
    ones = site.array(np.ones(groups), "one"), site.array(np.zeros(groups), "zero")
    unit = site.node("InstanceNormalization", grouped, *ones, epsilon=site.epsilon)
    unit = site.node("Reshape", unit, site.whole([0, channels, *site.sizes], "shape"))
    return site.node("Add", site.node("Mul", unit, site.of_channels("scale")), site.of_channels("bias"))


@written_as(layers.InstanceNorm)
def _instance_norm(site: Site) -> str:
    arrays = site.weight("scale"), site.weight("bias")
    return site.node("InstanceNormalization", site.x, *arrays, epsilon=site.epsilon)


@written_as(layers.RMSNorm)
def _rms_norm(site: Site) -> str:
    square = site.node("ReduceMean", site.node("Mul", site.x, site.x), site.whole([1], "axes"), keepdims=1)
    root = site.node("Sqrt", site.node("Add", square, site.array(site.epsilon, "epsilon")))
    return site.node("Mul", site.node("Div", site.x, root), site.of_channels("scale"))


@written_as(layers.LayerScale)
def _layer_scale(site: Site) -> str:
    return site.node("Mul", site.x, site.of_channels("scale"))


@written_as(layers.LocalResponseNorm)
def _local_response_norm(site: Site) -> str:
    layer: layers.LocalResponseNorm = site.layer
    if layer.size % 2 == 0:
        raise site.refused("an even window reaches one channel further forwards there, and backwards here")
    numbers = {"alpha": float(layer.alpha), "beta": float(layer.beta), "bias": float(layer.k)}
    return site.node("LRN", site.x, size=layer.size, **numbers)


# Activations that are an operator, and what it calls their options.
ACTIVATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"slope": "alpha"}),
    "elu": ("Elu", {"alpha": "alpha"}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"slope": "alpha", "offset": "beta"}),
    "tanh": ("Tanh", {}),
    "hard_swish": ("HardSwish", {}),
    "mish": ("Mish", {}),
    "softmax": ("Softmax", {}),
    "log_softmax": ("LogSoftmax", {}),
}


@written_as(layers.Activation)
def _activation(site: Site) -> str:
    name, x, options = site.layer.name, site.x, _options(site.layer)
    if name == "relu6":
        return site.node("Clip", x, site.array(0.0, "low"), site.array(6.0, "high"))
    if name == "silu":
        return site.node("Mul", x, site.node("Sigmoid", x))
    if name == "gelu":
        return _gelu(site, options["approximate"])
    if name == "softplus":
        return _softplus(site, **options)
    if name not in ACTIVATIONS:
        raise site.refused("no operator of this activation is known")
    kind, names = ACTIVATIONS[name]
    given: dict[str, Any] = {names[option]: float(value) for option, value in options.items() if option != "axis"}
    if "axis" in options:  # channels are the last one here, and the second one there
        axis = options["axis"] % len(site.shape)
        given["axis"] = axis if axis == 0 else 1 + axis % (len(site.shape) - 1)
    return site.node(kind, x, **given)


def _options(layer: layers.Activation) -> dict[str, Any]:
    """An activation's options, the defaults of its operation included."""
    signature = inspect.signature(pointwise.ACTIVATIONS[layer.name]).parameters.values()
    return {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY} | dict(layer.options)


def _gelu(site: Site, approximate: bool) -> str:
    """x (1 + erf(x / √2)) / 2, or its tanh form; an operator of its own it is only in newer opsets."""
    x, constant = site.x, site.array
    if approximate:
        cube = site.node("Mul", site.node("Mul", site.node("Mul", x, x), x), constant(0.044715, "cubic"))
        u = site.node("Mul", site.node("Add", x, cube), constant(math.sqrt(2 / math.pi), "root"))
        step = site.node("Tanh", u)
    else:
        step = site.node("Erf", site.node("Div", x, constant(math.sqrt(2), "root")))
    share = site.node("Mul", site.node("Add", step, constant(1.0, "one")), constant(0.5, "half"))
    return site.node("Mul", x, share)


def _softplus(site: Site, beta: float, threshold: float | None) -> str:
    """1/β log (1 + e^(β x)); from a threshold of 20 on that is x in float32."""
    if threshold is not None and threshold < 20:
        raise site.refused("there it has no threshold")
    if beta == 1:
        return site.node("Softplus", site.x)
    factor = site.array(beta, "beta")
    return site.node("Div", site.node("Softplus", site.node("Mul", site.x, factor)), factor)


@written_as(layers.PReLU)
def _prelu(site: Site) -> str:
    return site.node("PRelu", site.x, site.of_channels("slope"))


@written_as(layers.MaxPool)
def _max_pool(site: Site) -> str:
    return _dilated_pool(site, "MaxPool", -math.inf)


@written_as(layers.AvgPool)
def _avg_pool(site: Site) -> str:
    """What counts in a mean beyond the border is put there first, so that the rest of the padding doesn't count."""
    windows, divisor = _windows(site), site.layer.divisor_override
    if set(windows["dilation"]) != {1}:
        raise site.refused("there pooling to a mean has no dilation")
    if divisor is not None:
        mean = site.node("AveragePool", site.x, **_attributes(windows), count_include_pad=1)
        return site.node("Mul", mean, site.array(math.prod(windows["size"]) / divisor, "factor"))
    counted = windows["count_padding"]
    x = _padded(site, counted) if any(map(any, counted)) else site.x
    rest = [(low - a, high - b) for (low, high), (a, b) in zip(windows["padding"], counted, strict=True)]
    return site.node("AveragePool", x, **_attributes(windows | {"padding": rest}))


@written_as(layers.LpPool)
def _lp_pool(site: Site) -> str:
    if site.layer.p % 2:
        raise site.refused("there absolute values are summed, which is the same for even p only")
    return _dilated_pool(site, "LpPool", 0.0, p=int(site.layer.p))


def _dilated_pool(site: Site, kind: str, beyond: float, **options: Any) -> str:
    """Runtimes pad by less than a window has taps; more, which dilated windows may take, is put there first."""
    windows, x = _windows(site), site.x
    if any(end >= k for k, ends in zip(windows["size"], windows["padding"], strict=True) for end in ends):
        x = _padded(site, windows["padding"], beyond)
        windows |= {"padding": [(0, 0)] * site.axes}
    return site.node(kind, x, **_attributes(windows), dilations=list(windows["dilation"]), **options)


@written_as(layers.GlobalAvgPool)
def _global_avg_pool(site: Site) -> str:
    return site.node("Flatten", site.node("GlobalAveragePool", site.x))


@written_as(layers.GlobalMaxPool)
def _global_max_pool(site: Site) -> str:
    return site.node("Flatten", site.node("GlobalMaxPool", site.x))


@written_as(layers.AdaptiveAvgPool)
def _adaptive_avg_pool(site: Site) -> str:
    return _adaptive_pool(site, "AveragePool")


@written_as(layers.AdaptiveMaxPool)
def _adaptive_max_pool(site: Site) -> str:
    return _adaptive_pool(site, "MaxPool")


def _adaptive_pool(site: Site, kind: str) -> str:
    """Windows side by side, where they divide the image."""
    sizes = site.per_axis(site.layer.sizes)
    if any(w % o for w, o in zip(site.sizes, sizes, strict=True)):
        raise site.refused(f"its bins over an image of {site.sizes} are unequal")
    window = [w // o for w, o in zip(site.sizes, sizes, strict=True)]
    return site.node(kind, site.x, kernel_shape=window, strides=window)


@written_as(layers.Flatten)
def _flatten(site: Site) -> str:
    """Row by row, as a dense layer's kernel here has it."""
    return site.node("Flatten", site.channels_last(site.x) if math.prod(site.sizes) > 1 else site.x)


@written_as(layers.Pad)
def _pad(site: Site) -> str:
    pads = explicit_padding("Pad", site.layer.padding, site.axes, cropping=True)
    if site.layer.mode != "zeros":
        return _shown(site, pads, site.layer.mode)
    return _padded(site, pads, site.layer.value)


@written_as(layers.PixelShuffle)
def _pixel_shuffle(site: Site) -> str:
    """Channels as blocks, whose axes are put behind those of the pixels."""
    factor, places = site.per_axis(site.layer.factor), range(2, 2 + site.axes)
    split = site.node("Reshape", site.x, site.whole([0, site.out[-1], *factor, *site.sizes], "blocks"))
    moved = site.node("Transpose", split, perm=[0, 1, *(a for axis in places for a in (axis + site.axes, axis))])
    return site.node("Reshape", moved, site.whole([0, site.out[-1], *site.out[1:-1]], "shape"))


@written_as(layers.Resize)
def _resize(site: Site) -> str:
    """By scales where they are whole, which runtimes know longest; else by sizes."""
    layer, sizes = site.layer, site.out[1:-1]
    if layer.align_corners and layer.antialias:
        raise site.refused("there corners that are aligned and antialiasing go by another scale")
    grown = not any(o % w for w, o in zip(site.sizes, sizes, strict=True))
    if layer.method == "nearest" and not grown:  # its places would be rounded
        return _taken(site, [nearest(w, o) for w, o in zip(site.sizes, sizes, strict=True)])
    words: dict[str, Any] = {"mode": {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}[layer.method]}
    if layer.method == "nearest":
        words |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        words["coordinate_transformation_mode"] = "align_corners" if layer.align_corners else "half_pixel"
        words |= {"antialias": 1, "exclude_outside": 1} if layer.antialias else {}
    if layer.method == "bicubic":
        words["cubic_coeff_a"] = -0.5 if layer.antialias else -0.75
    if grown:
        scales = [1.0, 1.0, *(o / w for w, o in zip(site.sizes, sizes, strict=True))]
        return site.node("Resize", site.x, "", site.array(scales, "scales"), **words)
    axes = list(range(2, 2 + site.axes))
    return site.node("Resize", site.x, "", "", site.whole(sizes, "sizes"), axes=axes, **words)


def _outputs_first(kernel: Any) -> Any:
    """A kernel (*window, in, out) as (out, in, *window)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _lows(pads: Any) -> list[int]:
    return [low for low, _ in pads]


def _highs(pads: Any) -> list[int]:
    return [high for _, high in pads]


def _ends(pads: Any) -> list[int]:
    """Padding as ONNX has it: all low ends, then all high ones."""
    return _lows(pads) + _highs(pads)


def _windows(site: Site) -> dict[str, Any]:
    """Where the windows of pooling lie, in numbers."""
    options = {name: a for name, a in site.layer.options.items() if name not in ("p", "divisor_override")}
    return pool_options(type(site.layer).__name__, site.sizes, **options)


def _attributes(windows: dict[str, Any]) -> dict[str, Any]:
    size, stride = (list(windows[name]) for name in ("size", "stride"))
    return {"kernel_shape": size, "strides": stride, "pads": _ends(windows["padding"])}


def _padded(site: Site, pads: Any, value: float = 0.0) -> str:
    """A constant around the image, which is cropped where an end is below 0."""
    ends = site.whole([0, 0, *_lows(pads), 0, 0, *_highs(pads)], "pads")
    return site.node("Pad", site.x, ends, site.array(value, "value"))


def _shown(site: Site, pads: Any, mode: Any) -> str:
    """The image beyond its border, as `ops.pad` shows it."""
    at = [
        np.asarray(ops.pad(np.arange(w, dtype=np.float32)[None, :, None], (ends,), mode=mode))[0, :, 0].astype(int)
        for w, ends in zip(site.sizes, pads, strict=True)
    ]
    return _taken(site, at)


def _taken(site: Site, at: Any) -> str:
    """The image's entries at these places along each spatial axis."""
    x = site.x
    for axis, places in enumerate(at, 2):
        x = site.node("Gather", x, site.whole(places, "places"), axis=axis)
    return x
