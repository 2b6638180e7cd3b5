"""Parts of a network that are not trained, by the paths of their parameters: "block[12]*/*,stem/*", or "backbone"."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import jax
from jax import Array

from jaxcnn.layers import Layer, Params, State
from jaxcnn.layers.walk import Around, Path, changed, layer_of, name_of
from jaxcnn.train.recipe.optimization import BACKBONE


@dataclass(frozen=True, repr=False)
class Frozen(Around):
    """A layer in evaluation mode whatever the network around it does: batch norm by its running statistics."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return self.layer.apply(params, state, x)[0], state


def is_frozen(patterns: str, path: tuple[Any, ...]) -> bool:
    """Whether the parameter at this key path matches one of the patterns; * and ? match slashes as well.

    "backbone" matches all but those of the part called "head".
    """
    return any(_matches(pattern.strip(), name_of(path)) for pattern in patterns.split(","))


def _matches(pattern: str, name: str) -> bool:
    return not name.startswith("head/") if pattern == BACKBONE else fnmatchcase(name, pattern)


def frozen(network: Layer, params: Params, patterns: str) -> Layer:
    """The network with those layers in evaluation mode of which all parameters match one of the patterns.

    So are layers without parameters, such as stochastic depth, in a block that is frozen as a whole.

    Raises: ValueError for a pattern that matches no parameter, and where nothing is left to train.
    """
    if not patterns:
        return network
    paths = [path for path, _ in jax.tree.leaves_with_path(params)]
    some = ", ".join(name_of(path) for path in paths[:4])
    if BACKBONE in map(str.strip, patterns.split(",")) and "head" not in params:
        raise ValueError(
            f"freeze is {patterns!r}, and the network has no part called 'head', which alone would be trained. Give "
            f"the paths of what is not to be trained; they are {some}, ..."
        )
    for pattern in patterns.split(","):
        if not any(is_frozen(pattern, path) for path in paths):
            raise ValueError(f"freeze is {patterns!r}; {pattern!r} matches no parameter. They are called {some}, ...")
    trained = {layer_of(path) for path in paths if not is_frozen(patterns, path)}
    if not trained:
        raise ValueError(f"freeze is {patterns!r}, which matches all {len(paths)} parameters; leave some to train.")
    wholly = {layer_of(path) for path in paths} - trained
    blocks = _above(wholly) - _above(trained)

    def held(path: Path, layer: Layer) -> Layer:
        return Frozen(layer) if path in wholly or _above([path]) & blocks else layer

    return changed(network, held)


def _above(paths: Iterable[Path]) -> set[Path]:
    """The blocks that these layers lie in."""
    return {path[:depth] for path in paths for depth in range(1, len(path))}


def stopped(params: Params, patterns: str) -> Params:
    """The parameters, those that match one of the patterns without a gradient."""
    if not patterns:
        return params
    return jax.tree.map_with_path(
        lambda path, leaf: jax.lax.stop_gradient(leaf) if is_frozen(patterns, path) else leaf, params
    )
