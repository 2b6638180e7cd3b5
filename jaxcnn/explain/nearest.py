"""The nearest of known pictures, in the space of the network's features."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.explain.scores import pictures
from jaxcnn.layers import Layer, Params, State, features
from jaxcnn.ops.arguments import explained
from jaxcnn.ops.check import floating
from jaxcnn.ops.geometry import count
from jaxcnn.primitive import promoting


class Nearest(NamedTuple):
    """What `nearest` returns.

    Attributes:
      indices: (n, k), which of the known pictures, the nearest first.
      similarities: (n, k), the cosines, from -1 to 1.
    """

    indices: Array
    similarities: Array


@explained
def embed(network: Layer, params: Params, state: State, x: Float[Array, "n h w c"]) -> Float[Array, "n d"]:
    """What the network knows of each picture before its head: `layers.features`, their mean where they have places.

    Raises: ValueError for a network that has no layer called "head", and for an x that is no batch of pictures.
    """
    x = pictures("embed", network, x)
    with promoting():
        return _embed(features(network), params, state, x)


@explained
def nearest(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    known: Float[ArrayLike, "m d"],
    *,
    k: int = 5,
) -> Nearest:
    """Of known pictures the k that the network holds most like each of x, by the cosine of their features.

    >>> known = embed(network, params, state, training_pictures)  # once  # doctest: +SKIP
    >>> nearest(network, params, state, x, known, k=3).indices  # doctest: +SKIP

    Args:
      network, params, state, x: as for `embed`.
      known: the features of the known pictures, as `embed` gives them.
      k: how many, at most m.

    Raises: ValueError for features of another length or rank, and for more than there are.
    """
    x, bank = pictures("nearest", network, x), floating("nearest", "known", known)
    k = count("nearest", "k", k)
    with promoting():
        found = _embed(features(network), params, state, x)
        if bank.ndim != 2 or bank.shape[1] != found.shape[1]:
            raise ValueError(
                f"nearest: known has shape {bank.shape}; expected (m, {found.shape[1]}), as "
                "embed(network, params, state, pictures) gives them."
            )
        if k > bank.shape[0]:
            raise ValueError(f"nearest: k is {k}, and known has {bank.shape[0]} pictures.")
        similarities, indices = jax.lax.top_k(_cosines(found, bank), k)
        return Nearest(indices, similarities)


@functools.partial(jax.jit, static_argnums=0)
def _embed(below: Layer, params: Params, state: State, x: Array) -> Array:
    y = below(params, state, x)
    return y.mean(tuple(range(1, y.ndim - 1)))


def _cosines(a: Array, b: Array) -> Array:
    """(n, m), in float32 or better; 0 where a vector is 0."""
    wide = jnp.promote_types(jnp.result_type(a, b), jnp.float32)
    return jnp.matmul(_unit(a.astype(wide)), _unit(b.astype(wide)).T, precision="highest")


def _unit(vectors: Array) -> Array:
    norms = jnp.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / jnp.where(norms == 0, 1, norms)
