"""The same network in Equinox, whose layers work on one image (c, h, w) under `jax.vmap`."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxcnn import layers
from jaxcnn.bench.peers.functional import Functional
from jaxcnn.bench.peers.network import Node, Untranslatable
from jaxcnn.bench.precision import Precision
from jaxcnn.layers.combine import Branches, Chain

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "relu6": jax.nn.relu6,
    "hard_swish": jax.nn.hard_swish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
}
KEY = jax.random.key(0)  # every weight is replaced


def network(tree: Node, precision: Precision) -> Functional:
    """An Equinox network with the weights of `tree`, as a pure function."""
    if precision == "bfloat16":
        raise Untranslatable("Equinox leaves mixed precision to its user")
    model = eqx.nn.Sequential([module(tree)])
    state = _with_statistics(eqx.nn.State(model), model, tree)
    params, rest = eqx.partition(model, eqx.is_inexact_array)

    def forward(params: Any, state: Any, x: Any, train: bool) -> tuple[Any, Any]:
        model = eqx.nn.inference_mode(eqx.combine(params, rest), not train)
        return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)

    return Functional(forward, params, state, precision, lambda x: jnp.moveaxis(jnp.asarray(x), -1, 1))


def module(tree: Node) -> Any:
    """The module of Equinox that does what this layer does, with its weights."""
    match tree.layer:
        case Chain():
            return eqx.nn.Sequential([module(part) for part in tree.parts])
        case Branches(join=join):
            return Joined([eqx.nn.Sequential([module(part)]) for part in tree.parts], join)  # all of them take a state
        case layers.Conv() as conv:
            made = eqx.nn.Conv2d(
                tree.channels,
                conv.features,
                tree.window,
                tree.stride,
                tree.padding,
                tree.dilation,
                conv.groups,
                conv.use_bias,
                key=KEY,
            )
            bias = tree.weight("bias")[:, None, None] if conv.use_bias else None
            return _loaded(made, tree.weight("kernel").transpose(3, 2, 0, 1), bias)
        case layers.Dense(features=features, use_bias=use_bias):
            made = eqx.nn.Linear(tree.channels, features, use_bias, key=KEY)
            return _loaded(made, tree.weight("kernel").T, tree.weight("bias") if use_bias else None)
        case layers.BatchNorm(momentum=momentum, epsilon=epsilon):
            made = eqx.nn.BatchNorm(tree.channels, "batch", epsilon, momentum=momentum, mode="batch")
            return _loaded(made, tree.weight("scale"), tree.weight("bias"))
        case layers.LayerNorm(epsilon=epsilon):
            norm = eqx.nn.LayerNorm(tree.channels, epsilon)
            return ChannelsLast(_loaded(norm, tree.weight("scale"), tree.weight("bias")))
        case layers.LayerScale():
            return ChannelsLast(Scaled(jnp.asarray(tree.weight("scale"))))
        case layers.Activation(name=name, options=()) if name in ACTIVATIONS:
            return eqx.nn.Lambda(ACTIVATIONS[name])
        case layers.MaxPool():
            return eqx.nn.MaxPool2d(tree.window, tree.stride, tree.padding)
        case layers.AvgPool() if not tree.is_padded:
            return eqx.nn.AvgPool2d(tree.window, tree.stride)
        case layers.GlobalAvgPool():
            return eqx.nn.Lambda(lambda x: x.mean((1, 2)))
        case layers.GlobalMaxPool():
            return eqx.nn.Lambda(lambda x: x.max((1, 2)))
        case layers.Flatten():  # in our order, so that the weights after it are the same
            return eqx.nn.Lambda(lambda x: jnp.moveaxis(x, 0, -1).ravel())
        case _:
            raise tree.refused("no module of Equinox is known to compute the same")


class Joined(eqx.nn.StatefulLayer):  # type: ignore[misc]
    """Branches side by side, their outputs added, multiplied or concatenated."""

    branches: list[Any]
    join: str = eqx.field(static=True)

    def __call__(self, x: Any, state: Any, *, key: Any = None) -> tuple[Any, Any]:
        outputs = []
        for branch in self.branches:
            y, state = branch(x, state)
            outputs.append(y)
        if self.join == "multiply":
            body, gate = outputs
            return body * (gate if gate.ndim == body.ndim else gate[:, None, None]), state
        return sum(outputs[1:], outputs[0]) if self.join == "add" else jnp.concatenate(outputs), state


class ChannelsLast(eqx.Module):  # type: ignore[misc]
    """A module that works on one value of each channel, at every place of an image."""

    inner: Any

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        return jax.vmap(jax.vmap(self.inner, 1, 1), 1, 1)(x) if x.ndim == 3 else self.inner(x)


class Scaled(eqx.Module):  # type: ignore[misc]
    """A learned factor for each channel."""

    scale: Any

    def __call__(self, x: Any) -> Any:
        return x * self.scale


def _loaded(made: Any, weight: Any, bias: Any) -> Any:
    where: Callable[[Any], Any] = lambda m: (m.weight, m.bias)  # noqa: E731
    return eqx.tree_at(
        where,
        made,
        (jnp.asarray(weight), None if bias is None else jnp.asarray(bias)),
        is_leaf=lambda leaf: leaf is None,
    )


def _with_statistics(state: Any, model: Any, tree: Node) -> Any:
    """The state with the running statistics of our batch norms, which both walks meet in the same order."""
    is_norm: Callable[[Any], bool] = lambda m: isinstance(m, eqx.nn.BatchNorm)  # noqa: E731
    norms = [m for m in jax.tree.leaves(model, is_leaf=is_norm) if is_norm(m)]
    for made, ours in zip(norms, _norms(tree), strict=True):
        state = state.set(made.batch_state_index, (jnp.asarray(ours.weight("mean")), jnp.asarray(ours.weight("var"))))
    return state


def _norms(tree: Node) -> list[Node]:
    own = [tree] if isinstance(tree.layer, layers.BatchNorm) else []
    return own + [norm for part in tree.parts for norm in _norms(part)]
