"""The same network in Flax NNX."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxcnn import layers
from jaxcnn.bench.peers.functional import Functional
from jaxcnn.bench.peers.network import Node
from jaxcnn.bench.precision import Precision
from jaxcnn.layers.combine import Branches, Chain

ACTIVATIONS = {
    "relu": nnx.relu,
    "tanh": nnx.tanh,
    "sigmoid": nnx.sigmoid,
    "silu": nnx.silu,
    "relu6": nnx.relu6,
    "hard_swish": nnx.hard_swish,
    "hard_sigmoid": nnx.hard_sigmoid,
    "gelu": lambda x: nnx.gelu(x, approximate=False),
}


def network(tree: Node, precision: Precision) -> Functional:
    """A Flax network with the weights of `tree`, as a pure function; in bfloat16 by its layers' `dtype`."""
    built = nnx.Sequential(module(tree, jnp.bfloat16 if precision == "bfloat16" else None))
    graph, params, rest = nnx.split(built, nnx.Param, ...)

    def forward(params: Any, state: Any, x: Any, train: bool) -> tuple[Any, Any]:
        model = nnx.merge(graph, params, state, copy=True)  # or it would be changed outside of this trace
        model.train() if train else model.eval()
        y = model(x)
        return y.astype(jnp.float32), nnx.split(model, nnx.Param, ...)[2]

    return Functional(forward, params, rest, precision)


def module(tree: Node, dtype: Any) -> Callable[..., Any]:
    """The module of Flax that does what this layer does, with its weights."""
    match tree.layer:
        case Chain():
            return nnx.Sequential(*(module(part, dtype) for part in tree.parts))
        case Branches(join=join):
            return Joined(join, [module(part, dtype) for part in tree.parts])
        case layers.Conv() as conv:
            return _loaded(
                nnx.Conv(
                    tree.channels,
                    conv.features,
                    tree.window,
                    tree.stride,
                    padding=tree.padding,
                    kernel_dilation=tree.dilation,
                    feature_group_count=conv.groups,
                    use_bias=conv.use_bias,
                    dtype=dtype,
                    rngs=nnx.Rngs(0),
                ),
                tree,
            )
        case layers.Dense() as dense:
            use_bias = dense.use_bias
            made = nnx.Linear(tree.channels, dense.features, use_bias=use_bias, dtype=dtype, rngs=nnx.Rngs(0))
            return _loaded(made, tree)
        case layers.BatchNorm(momentum=momentum, epsilon=epsilon):
            made = nnx.BatchNorm(tree.channels, momentum=momentum, epsilon=epsilon, dtype=dtype, rngs=nnx.Rngs(0))
            return _loaded(made, tree)
        case layers.LayerNorm(epsilon=epsilon):
            return _loaded(nnx.LayerNorm(tree.channels, epsilon=epsilon, dtype=dtype, rngs=nnx.Rngs(0)), tree)
        case layers.LayerScale():
            return _loaded(Scaled(tree.channels, dtype), tree)
        case layers.Activation(name=name, options=()) if name in ACTIVATIONS:
            return ACTIVATIONS[name]
        case layers.MaxPool():
            window, stride, padding = tree.window, tree.stride, tree.padding
            return lambda x: nnx.max_pool(x, window, stride, padding)
        case layers.AvgPool(count_padding=counted):
            window, stride, padding = tree.window, tree.stride, tree.padding
            return lambda x: nnx.avg_pool(x, window, stride, padding, count_include_pad=counted)
        case layers.GlobalAvgPool():
            return lambda x: x.mean((1, 2))
        case layers.GlobalMaxPool():
            return lambda x: x.max((1, 2))
        case layers.Flatten():
            return lambda x: x.reshape(len(x), -1)
        case _:
            raise tree.refused("no module of Flax is known to compute the same")


class Joined(nnx.Module):  # type: ignore[misc]
    """Branches side by side, their outputs added, multiplied or concatenated."""

    def __init__(self, join: str, branches: list[Callable[..., Any]]) -> None:
        self.join, self.branches = join, nnx.List(branches)

    def __call__(self, x: Any) -> Any:
        outputs = [branch(x) for branch in self.branches]
        if self.join == "multiply":
            body, gate = outputs
            return body * (gate if gate.ndim == body.ndim else gate[:, None, None])
        return sum(outputs[1:], outputs[0]) if self.join == "add" else jnp.concatenate(outputs, -1)


class Scaled(nnx.Module):  # type: ignore[misc]
    """A learned factor for each channel."""

    def __init__(self, channels: int, dtype: Any) -> None:
        self.scale, self.dtype = nnx.Param(jnp.ones(channels)), dtype

    def __call__(self, x: Any) -> Any:
        return x * self.scale.astype(self.dtype or x.dtype)


def _loaded(made: Any, tree: Node) -> Any:
    """Flax names its weights and statistics as we do, and lays them out alike."""
    for name in (*tree.params, *tree.state):
        variable = getattr(made, name)
        variable[...] = jnp.asarray(tree.weight(name))
    return made
