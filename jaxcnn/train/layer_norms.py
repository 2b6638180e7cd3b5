"""The norms of δ and of the gradient, layer by layer, as one jitted pure function."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.layers import Layer, backprop
from jaxcnn.layers.walk import layer_of
from jaxcnn.train.freeze import is_frozen
from jaxcnn.train.placement import Placement
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import Loss, norm


class Norms(NamedTuple):
    """Euclidean norms by the layers' paths: of every δ, first layer first, and of each layer's gradient, by name."""

    delta: OrderedDict[str, Array]
    gradient: OrderedDict[str, Array]


NormsOf = Callable[[TrainState, ArrayLike, ArrayLike], Norms]


def make_norms(
    model: Layer, loss: Loss, *, normalise: Callable[[Array], Array], freeze: str, placement: Placement
) -> NormsOf:
    """(train state, images uint8 (n, h, w, c), labels (n,)) -> the norms for the mean loss, in training.

    Dropout draws the same each time. A layer's gradient is of all its parameters together, without those that are
    frozen.
    """

    def norms(train: TrainState, images: Array, labels: Array) -> Norms:
        params, state = placement.gathered((train.params, train.state))
        found = backprop(model, params, state, (normalise(images), labels), loss, key=jax.random.key(0))
        trained: OrderedDict[str, list[Array]] = OrderedDict()
        for path, gradient in jax.tree.leaves_with_path(found.gradients):
            if not is_frozen(freeze, path):
                trained.setdefault("/".join(layer_of(path)), []).append(gradient)
        return placement.gathered(
            Norms(
                OrderedDict((path, norm(delta)) for path, delta in found.deltas.items()),
                OrderedDict((path, norm(gradients)) for path, gradients in trained.items()),
            )
        )

    return jax.jit(norms)
