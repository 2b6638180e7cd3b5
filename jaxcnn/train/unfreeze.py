"""Gradual unfreezing: the head is trained alone first, then from the end to the beginning one more group of layers.

Source: Howard & Ruder 2018, "Universal language model fine-tuning for text classification", section 3.3.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxcnn.layers import Layer, Params
from jaxcnn.layers.combine import Combinator
from jaxcnn.train.freeze import is_frozen


def phases(network: Layer, params: Params, freeze: str = "") -> list[str]:
    """What is frozen in each phase, as patterns like `freeze`, which stays frozen in all.

    Raises: ValueError for a network whose parts can't be told, or of one group only.
    """
    paths = [path for path, _ in jax.tree.leaves_with_path(params)]
    trained = {path[0].key for path in paths if not (freeze and is_frozen(freeze, path))}
    found = [group for group in groups(network, params) if trained.intersection(group)]
    if len(found) < 2:
        raise ValueError(
            f"unfreeze_epochs goes by groups of a network's layers, and {len(found)} is to be trained; leave it out."
        )
    below = [[f"{name}/*" for group in found[:count] for name in group] for count in reversed(range(len(found)))]
    return [",".join(filter(None, [freeze, *patterns])) for patterns in below]


def groups(network: Layer, params: Params) -> list[tuple[str, ...]]:
    """The names of the network's parts that have parameters, in the order of the network.

    Neighbours of one stage, which is what stands before "_" in their names, are a group: block2_1, block2_2. A part
    without kernels, such as batch norm, belongs to the one before it.
    """
    found: list[list[str]] = []
    for name, _ in network.parts if isinstance(network, Combinator) else ():
        if name not in params:
            continue
        vectors = all(leaf.ndim < 2 for leaf in jax.tree.leaves(params[name]))
        if found and (vectors or found[-1][0].split("_")[0] == name.split("_")[0]):
            found[-1].append(name)
        else:
            found.append([name])
    return list(map(tuple, found))


def held(optimizer: optax.GradientTransformation, freeze: str) -> optax.GradientTransformation:
    """The optimizer, without updates of what is frozen; its state is the same whatever that is."""

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        updates, state = optimizer.update(gradients, state, params)
        return jax.tree.map_with_path(lambda p, u: jnp.zeros_like(u) if is_frozen(freeze, p) else u, updates), state

    return optax.GradientTransformation(optimizer.init, update) if freeze else optimizer
