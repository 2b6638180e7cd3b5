"""What a file writes out in several nodes, as one layer: activations, biases and scales."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from jaxcnn.interop.onnx.operators.activation import hard_sigmoid
from jaxcnn.interop.onnx.tree import Affine, Clip, Erf, Fork, Leaf, Series
from jaxcnn.layers import Activation, BatchNorm, Conv, ConvTranspose, Dense, DepthwiseConv, LayerScale

# x · g(x), by g.
GATED = {("sigmoid",): "silu", ("hard_sigmoid",): "hard_swish", ("softplus", "tanh"): "mish"}


def simplified(series: Series) -> Series:
    """The series with layers alone: no Affine, Clip or Erf is left.

    Raises: Unreadable, with the node's name, for one that is part of nothing known.
    """
    return _settled(_merged(series))


def _merged(series: Series) -> Series:
    """Activations that are written out are one layer; constants for the channels go into the weights before them.

    A number for all channels waits, since it may be part of an activation.
    """
    done: Series = []
    for part in series:
        done.append(_fork(part) if isinstance(part, Fork) else part)
        while (shorter := _shortened(done)) is not None:
            done = shorter
    return done


def _shortened(done: Series) -> Series | None:
    """The series with its last parts as one; None where they stay as they are."""
    match done:
        case [*before, Leaf(layer=Affine() as first), Leaf(layer=Affine() as second) as leaf]:
            return [*before, replace(leaf, layer=_after(first, second))]
        case [*before, Fork(join="multiply", branches=([], gate)) as fork, Leaf(layer=Affine(number=(_, 0.0))) as leaf]:
            return [*before, _fork(replace(fork, branches=([], [*gate, leaf])))]  # k (x · g(x)) = x · (k g(x))
        case [*before, Leaf(layer=Affine(number=(a, b))), Leaf(layer=Clip(low=0.0, high=1.0)) as leaf] if a > 0:
            return [*before, replace(leaf, layer=hard_sigmoid(a, b))]
        case [
            *before,
            Leaf(layer=Affine(number=(a, b))),
            Leaf(layer=Clip(low=0.0, high=m)) as leaf,
            Leaf(layer=Affine(number=(k, 0.0))),
        ] if a > 0 and _near(k * m, 1):
            return [*before, replace(leaf, layer=hard_sigmoid(a / m, b / m))]
        case [*before, Leaf() as leaf, Leaf(layer=Affine(number=None) as affine)] if _takes(leaf, affine):
            return [*before, _folded(leaf, affine)]
    return None


def _fork(fork: Fork) -> Fork | Leaf:
    """The fork with its branches merged; x · g(x) that is an activation is one."""
    branches = tuple(_merged(branch) for branch in fork.branches)
    if fork.join != "multiply":
        return replace(fork, branches=branches)
    body, gate = branches
    if _is_number(gate):  # never the gate of an image's channels, which begins with pooling
        body, gate = gate, body
    if _is_number(body):
        body, gate = [], _merged([*gate, *body])
    match gate:
        case [
            Leaf(layer=Affine(number=(a, 0.0))),
            Leaf(layer=Erf()),
            Leaf(layer=Affine(number=(0.5, 0.5))) as leaf,
        ] if not body and _near(a, math.sqrt(0.5)):
            return replace(leaf, layer=Activation("gelu"))
    names = tuple(str(part.layer) for part in gate if isinstance(part, Leaf))
    for inner, name in GATED.items():
        if not body and names == tuple(str(Activation(each)) for each in inner):
            return Leaf(Activation(name), fork.node, gate[0].rank if isinstance(gate[0], Leaf) else 0)
    return replace(fork, branches=(body, gate))


def _is_number(branch: Series) -> bool:
    """Whether it is the identity or a multiple of it."""
    match branch:
        case [] | [Leaf(layer=Affine(number=(_, 0.0)))]:
            return True
    return False


def _near(a: float, b: float) -> bool:
    """Equal as float32 has it, which is how a file holds its numbers."""
    return math.isclose(a, b, rel_tol=1e-6)


def _after(first: Affine, second: Affine) -> Affine:
    return Affine(second.scale * first.scale, second.scale * first.shift + second.shift)


def _takes(leaf: Leaf, affine: Affine) -> bool:
    """Whether the layer's weights can take a scale and shift of its output."""
    match leaf.layer:
        case ConvTranspose(groups=groups):
            return groups == 1 or bool((affine.scale == 1).all())
        case Conv() | DepthwiseConv() | Dense() | BatchNorm():
            return True
    return False


def _folded(leaf: Leaf, affine: Affine) -> Leaf:
    """The layer with its output's scale and shift in its weights."""
    layer: Any = leaf.layer
    none = np.zeros_like(affine.shift)
    bias = leaf.params.get("bias", none) * affine.scale + affine.shift
    if isinstance(layer, BatchNorm):
        return replace(leaf, params={"scale": leaf.params["scale"] * affine.scale, "bias": bias})
    transposed = isinstance(layer, ConvTranspose) and layer.groups == 1
    scale = affine.scale[:, None] if transposed else affine.scale
    grouped = isinstance(layer, ConvTranspose) and not transposed
    params = {"kernel": leaf.params["kernel"] if grouped else leaf.params["kernel"] * scale}
    if layer.use_bias or bias.any():
        layer, params = replace(layer, use_bias=True), params | {"bias": bias}
    return replace(leaf, layer=layer, params=params)


def _settled(series: Series) -> Series:
    """What is left of Affine and Clip as layers."""
    done: Series = []
    for part in series:
        if isinstance(part, Fork):
            done.append(replace(part, branches=tuple(_settled(branch) for branch in part.branches)))
            continue
        last = done[-1] if done else None
        match part.layer:
            case Affine() as affine if isinstance(last, Leaf) and _takes(last, affine):
                done[-1] = _folded(last, affine)
            case Affine() as affine:
                done.append(_scaled(part, affine))
            case Clip(low=low, high=high):
                done += _held(part, low, high)
            case Erf():
                raise part.node.refused("is known as a part of GELU alone.")
            case _:
                done.append(part)
    return done


def _scaled(leaf: Leaf, affine: Affine) -> Leaf:
    """A layer for a scale and shift: a 1×1 convolution of each channel, of rows a diagonal matrix."""
    if not affine.shift.any():
        return replace(leaf, layer=LayerScale(1.0), params={"scale": affine.scale})
    if leaf.rank > 2:
        window = (1,) * (leaf.rank - 2)
        params = {"kernel": affine.scale.reshape(*window, 1, -1), "bias": affine.shift}
        return replace(leaf, layer=DepthwiseConv(1), params=params)
    params = {"kernel": np.diag(affine.scale), "bias": affine.shift}
    return replace(leaf, layer=Dense(len(affine.scale)), params=params)


def _held(leaf: Leaf, low: float, high: float) -> Series:
    """x held between two numbers: relu6, or a hard sigmoid and a scale and shift."""
    if (low, high) == (0, 6):
        return [replace(leaf, layer=Activation("relu6"))]
    raise leaf.node.refused(f"holds values between {low:g} and {high:g}; known are relu, relu6 and hard sigmoids.")
