"""A network of ours as a tree that other frameworks' networks are built from: layers, weights and shapes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import optax
from jax import ShapeDtypeStruct

from jaxcnn.layers import Conv, DepthwiseConv, Layer, Params, State
from jaxcnn.layers.base import output
from jaxcnn.layers.combine import Chain, Combinator
from jaxcnn.layers.shape import Pool
from jaxcnn.ops.geometry import Padding, Pair, per_axis, resolve_padding


class Untranslatable(ValueError):
    """A layer that has no equal in the other framework."""


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent: v = momentum v + gradient, w = w - learning_rate v (Sutskever et al. 2013)."""

    learning_rate: float
    momentum: float = 0.9

    def by_optax(self) -> optax.GradientTransformation:
        """The same for JAX."""
        return optax.sgd(self.learning_rate, momentum=self.momentum)


@dataclass(frozen=True)
class Node:
    """A layer in its place: its weights, the shape of the batch that it gets, and, of a combinator, its parts."""

    path: str
    layer: Layer
    params: Params
    state: State
    x: ShapeDtypeStruct
    parts: tuple["Node", ...] = ()

    def weight(self, name: str) -> "np.ndarray[Any, Any]":
        """A parameter, or a running statistic, as a float32 array of NumPy's."""
        return np.asarray({**self.params, **self.state}[name], np.float32)

    @property
    def channels(self) -> int:
        """Of the input."""
        return self.x.shape[-1]

    @property
    def window(self) -> Pair:
        """Of a convolution or pooling: the window's sizes."""
        return self._pair(self._sliding().size)

    @property
    def stride(self) -> Pair:
        """Of a convolution or pooling; pooling's is its window unless given."""
        layer = self._sliding()
        return self._pair(layer.size if layer.stride is None else layer.stride)

    @property
    def dilation(self) -> Pair:
        """Of a convolution, 1 for pooling."""
        return self._pair(getattr(self.layer, "dilation", 1))

    @property
    def padding(self) -> tuple[Pair, Pair]:
        """Of a convolution or pooling: (low, high) of each axis, in numbers."""
        return self._pads(self._sliding().padding)

    @property
    def is_same(self) -> bool:
        """Whether that is what the word "SAME" would give."""
        return self.padding == self._pads("SAME")

    @property
    def is_padded(self) -> bool:
        """Whether there is any padding."""
        return any(map(sum, self.padding))

    def refused(self, why: str) -> Untranslatable:
        """The error to raise for a layer that can't be had elsewhere."""
        return Untranslatable(f"{self.path or 'the network'} is {self.layer!r}: {why}")

    def _sliding(self) -> Any:
        assert isinstance(self.layer, Conv | Pool)
        if len(self.x.shape) != 4:
            raise self.refused(f"it works on a batch of shape {self.x.shape}, and only images are translated")
        return self.layer

    def _pair(self, value: Any) -> Pair:
        high, wide = per_axis(self.path, "size", value, 2)
        return high, wide

    def _pads(self, padding: Padding) -> tuple[Pair, Pair]:
        rows, columns = resolve_padding(self.path, padding, self.x.shape[1:-1], self.window, self.stride, self.dilation)
        return rows, columns


def node(layer: Layer, params: Params, state: State, x: ShapeDtypeStruct, path: str = "") -> Node:
    """The tree of a network that gets a batch of x's shape; a depthwise convolution is one of as many groups."""
    parts, seen = [], x
    if isinstance(layer, DepthwiseConv):
        layer = layer.conv(x)
    if isinstance(layer, Combinator):
        for name, part in layer.parts:
            weights = params.get(name, {}), state.get(name, {})
            parts.append(node(part, *weights, seen, f"{path}/{name}" if path else name))
            if isinstance(layer, Chain):
                seen = output(part, *weights, seen)
    return Node(path, layer, params, state, x, tuple(parts))
