"""Parts of a network that are not trained, by the paths of their parameters: "block[12]*/*,stem/*"."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import jax
from jax import Array

from jaxcnn.layers import Layer, Params, State
from jaxcnn.layers.walk import Around, changed, layer_of, name_of


@dataclass(frozen=True, repr=False)
class Frozen(Around):
    """A layer in evaluation mode whatever the network around it does: batch norm by its running statistics."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return self.layer.apply(params, state, x)[0], state


def is_frozen(patterns: str, path: tuple[Any, ...]) -> bool:
    """Whether the parameter at this key path matches one of the patterns; * and ? match slashes as well."""
    return any(fnmatchcase(name_of(path), pattern.strip()) for pattern in patterns.split(","))


def frozen(network: Layer, params: Params, patterns: str) -> Layer:
    """The network with those layers in evaluation mode of which all parameters match one of the patterns.

    Raises: ValueError for a pattern that matches no parameter, and where nothing is left to train.
    """
    if not patterns:
        return network
    paths = [path for path, _ in jax.tree.leaves_with_path(params)]
    for pattern in patterns.split(","):
        if not any(is_frozen(pattern, path) for path in paths):
            some = ", ".join(name_of(path) for path in paths[:4])
            raise ValueError(f"freeze is {patterns!r}; {pattern!r} matches no parameter. They are called {some}, ...")
    trained = {layer_of(path) for path in paths if not is_frozen(patterns, path)}
    if not trained:
        raise ValueError(f"freeze is {patterns!r}, which matches all {len(paths)} parameters; leave some to train.")
    wholly = {layer_of(path) for path in paths} - trained
    return changed(network, lambda path, layer: Frozen(layer) if path in wholly else layer)


def stopped(params: Params, patterns: str) -> Params:
    """The parameters, those that match one of the patterns without a gradient."""
    if not patterns:
        return params
    return jax.tree.map_with_path(
        lambda path, leaf: jax.lax.stop_gradient(leaf) if is_frozen(patterns, path) else leaf, params
    )
