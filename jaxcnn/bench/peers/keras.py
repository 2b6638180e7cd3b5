"""The same network in Keras 3 on JAX."""

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it once, when it is imported

import jax.numpy as jnp
import keras

from jaxcnn import layers
from jaxcnn.bench.peers.functional import Functional
from jaxcnn.bench.peers.network import Node, Untranslatable
from jaxcnn.bench.precision import Precision
from jaxcnn.layers.combine import Branches, Chain

ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu", "gelu", "relu6", "hard_swish", "hard_sigmoid")


def network(tree: Node, precision: Precision) -> Functional:
    """A Keras network with the weights of `tree`, as a pure function; in bfloat16 by Keras's mixed precision."""
    if keras.backend.backend() != "jax":
        raise Untranslatable(f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=jax")
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    weights: list[tuple[Any, Node]] = []
    inputs = keras.Input(tree.x.shape[1:])
    model = keras.Model(inputs, applied(tree, inputs, policy, weights))
    for layer, ours in weights:
        layer.set_weights([ours.weight(name) for name in (*_order(ours.params), *_order(ours.state))])
    params = [v.value for v in model.trainable_variables]
    state = [v.value for v in model.non_trainable_variables]

    def forward(params: Any, state: Any, x: Any, train: bool) -> tuple[Any, Any]:
        y, new = model.stateless_call(params, state, x, training=train)
        return y.astype(jnp.float32), new

    return Functional(forward, params, state, precision)


def applied(tree: Node, x: Any, policy: str, weights: list[tuple[Any, Node]]) -> Any:
    """The layers of Keras that do what this one does, applied to `x`; those that have weights are noted."""

    def known(layer: Any, x: Any = x) -> Any:
        weights.append((layer, tree))
        return layer(x)

    match tree.layer:
        case Chain():
            for part in tree.parts:
                x = applied(part, x, policy, weights)
            return x
        case Branches(join=join):
            outputs = [applied(part, x, policy, weights) for part in tree.parts]
            if join == "multiply" and len(outputs[1].shape) < len(outputs[0].shape):
                outputs[1] = keras.layers.Reshape((1, 1, outputs[1].shape[-1]), dtype=policy)(outputs[1])
            made = {"add": keras.layers.Add, "multiply": keras.layers.Multiply, "concat": keras.layers.Concatenate}
            return made[join](dtype=policy)(outputs)
        case layers.Conv() as conv:
            x, padding = _padded(tree, x, policy)
            return known(
                keras.layers.Conv2D(
                    conv.features,
                    tree.window,
                    tree.stride,
                    padding,
                    dilation_rate=tree.dilation,
                    groups=conv.groups,
                    use_bias=conv.use_bias,
                    dtype=policy,
                ),
                x,
            )
        case layers.Dense(features=features, use_bias=use_bias):
            return known(keras.layers.Dense(features, use_bias=use_bias, dtype=policy))
        case layers.BatchNorm(momentum=momentum, epsilon=epsilon):
            return known(keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype=policy))
        case layers.LayerNorm(epsilon=epsilon):
            return known(keras.layers.LayerNormalization(epsilon=epsilon, dtype=policy))
        case layers.LayerScale():
            return known(Scaled(dtype=policy))
        case layers.Activation(name=name, options=()) if name in ACTIVATIONS:
            return keras.layers.Activation(name, dtype=policy)(x)
        case layers.MaxPool() if tree.is_padded and not tree.is_same:
            x = LowestPadding(tree.padding, dtype=policy)(x)
            return keras.layers.MaxPooling2D(tree.window, tree.stride, "valid", dtype=policy)(x)
        case layers.MaxPool():
            padding = "same" if tree.is_padded else "valid"
            return keras.layers.MaxPooling2D(tree.window, tree.stride, padding, dtype=policy)(x)
        case layers.AvgPool() if not tree.is_padded:
            return keras.layers.AveragePooling2D(tree.window, tree.stride, "valid", dtype=policy)(x)
        case layers.GlobalAvgPool():
            return keras.layers.GlobalAveragePooling2D(dtype=policy)(x)
        case layers.GlobalMaxPool():
            return keras.layers.GlobalMaxPooling2D(dtype=policy)(x)
        case layers.Flatten():
            return keras.layers.Flatten(dtype=policy)(x)
        case _:
            raise tree.refused("no layer of Keras is known to compute the same")


class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """A learned factor for each channel."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones")

    def call(self, x: Any) -> Any:
        return x * keras.ops.cast(self.scale, x.dtype)


class LowestPadding(keras.layers.Layer):  # type: ignore[misc]
    """Padding for max pooling with other windows than "same" lays: of values that never win."""

    def __init__(self, padding: tuple[tuple[int, int], ...], **options: Any) -> None:
        super().__init__(**options)
        self.padding = padding

    def call(self, x: Any) -> Any:
        return keras.ops.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=-float("inf"))


def _padded(tree: Node, x: Any, policy: str) -> tuple[Any, str]:
    """The input of a convolution, and the word that says the rest: zeros are added where no word says it all."""
    if tree.is_same:
        return x, "same"
    if tree.is_padded:
        x = keras.layers.ZeroPadding2D(tree.padding, dtype=policy)(x)
    return x, "valid"


def _order(names: Any) -> list[str]:
    """In which `set_weights` takes them: kernel, bias; gamma, beta, mean, variance."""
    return [name for name in ("kernel", "scale", "bias", "mean", "var") if name in names]
