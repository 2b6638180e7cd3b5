"""What a map explains: of each picture the score of one class, its logit."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.ops.arguments import explained
from jaxcnn.ops.check import floating, known_values
from jaxcnn.ops.geometry import known, wrong
from jaxcnn.primitive import promoting

P = ParamSpec("P")
R = TypeVar("R")
Classes = Any  # an int for all pictures, or ints (n,), of any library; None: the top class of each


def explanation(*static: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a method (network, params, state, x, classes, **options): it is compiled, and its arguments looked at.

    The method gets x (n, h, w, c) and classes (n,). `static` are those of its options that are no arrays.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        owner = method.__name__
        compiled = jax.jit(method, static_argnames=("network", *static))

        @functools.wraps(method)
        def called(network: Any, params: Any, state: Any, x: Any, classes: Any = None, **options: Any) -> Any:
            with promoting():
                x = pictures(owner, network, x)
                classes = _chosen(owner, network, params, state, x, classes)
                for name in options.keys() & set(static):
                    options[name] = _hashable(owner, name, options[name])
                return compiled(network, params, state, x, classes, **options)

        return explained(called)  # type: ignore[arg-type]

    return decorate


def scores(network: Layer, params: Params, state: State, x: Array, classes: Array) -> Float[Array, " n"]:
    """Each picture's logit of its class; NaN where there is no such class."""
    logits = network(params, state, x)
    there = (classes >= 0) & (classes < logits.shape[1])
    found = jnp.take_along_axis(logits, jnp.where(there, classes, 0)[:, None], axis=1)
    return jnp.where(there, found[:, 0], jnp.nan)


def gradient(network: Layer, params: Params, state: State, x: Array, classes: Array) -> Float[Array, "n h w c"]:
    """Of each picture's score the gradient with respect to that picture."""
    return slopes(lambda x: scores(network, params, state, x, classes), x)


def slopes(function: Callable[[Array], Array], x: Array) -> Array:
    """Of each example's value, function(x) (n,), the gradient with respect to that example; NaN where the value is."""
    y, pull = jax.vjp(function, x)
    (dx,) = pull(jnp.ones_like(y))
    return jnp.where(jnp.isnan(y).reshape(-1, *[1] * (x.ndim - 1)), jnp.nan, dx)


def pictures(owner: str, network: Any, x: ArrayLike) -> Array:
    """x as an array; ValueError unless it is a batch of pictures, of floats, and `network` is a layer."""
    if not isinstance(network, Layer):
        raise ValueError(f"{owner}: network is {network!r:.80}; expected a layer, such as models.create('resnet18').")
    array = floating(owner, "x", x)
    if array.ndim != 4:
        hint = " For a single picture write x[None]." if array.ndim == 3 else ""
        raise ValueError(f"{owner}: x has shape {array.shape}; expected pictures (n, h, w, c).{hint}")
    return array


def spread(owner: str, argument: str, value: ArrayLike, x: Array) -> Array:
    """A number, one for each channel, a picture, or one for each, as an array of x's shape; ValueError for others."""
    array = jnp.asarray(value)
    try:
        return jnp.broadcast_to(array, x.shape).astype(x.dtype)
    except ValueError:
        raise ValueError(
            f"{owner}: {argument} has shape {array.shape}; expected a number, one for each channel, {x.shape[-1:]}, "
            f"a picture {x.shape[1:]}, or as many as x has, {x.shape}."
        ) from None


@functools.partial(jax.jit, static_argnums=0)
def _logits(network: Layer, params: Params, state: State, x: Array) -> Array:
    return network(params, state, x)


def _chosen(owner: str, network: Layer, params: Params, state: State, x: Array, classes: Classes) -> Int[Array, " n"]:
    """The class of each picture: as given, one for all or one for each; the top class where it is None."""
    shape = _logits.trace(network, params, state, x).out_info.shape
    if len(shape) != 2:
        raise ValueError(
            f"{owner}: the network's output has shape {shape}; expected logits (n, classes). Of one that ends "
            "in a score for each place take the mean: chain(net=network, pool=GlobalAvgPool()), with {'net': params}."
        )
    if classes is None:
        return jnp.argmax(_logits(network, params, state, x), -1)
    expected = f"classes, ints from 0 to {shape[1] - 1}, one for all pictures or one for each"
    try:
        array = jnp.asarray(classes)
    except (TypeError, ValueError):
        raise wrong(owner, "classes", classes, expected) from None
    if not jnp.issubdtype(array.dtype, jnp.integer) or array.shape not in ((), x.shape[:1]):
        raise wrong(owner, "classes", classes, f"{expected}, {x.shape[:1]}")
    values = known_values(array)
    if values is not None and ((values < 0) | (values >= shape[1])).any():
        raise wrong(owner, "classes", classes, expected)
    return jnp.broadcast_to(array, x.shape[:1])


def _hashable(owner: str, name: str, value: Any) -> Any:
    """Numbers of NumPy and JAX as Python's."""
    try:
        hash(value := known(value))
    except TypeError:
        raise wrong(owner, name, value, "a number, or a name") from None
    return value
