"""The augmentations by name, and what is done for each: arguments checked, compiled, under any switch of JAX's."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Shaped

from jaxcnn.data.augment.arguments import Kind
from jaxcnn.mesh import automatic
from jaxcnn.primitive import promoting

P = ParamSpec("P")
R = TypeVar("R")
Images = Shaped[Array, "n h w c"]
Targets = Float[Array, "n classes"]


@dataclass(frozen=True)
class Entry:
    """An augmentation that has a name.

    Attributes:
      function: (key, images, **arguments) -> images, or, where it mixes, (key, images, targets, **arguments) ->
        (images, targets).
      mixes: whether it mixes images and with them what they show.
      kinds: of each argument by its name, in their order.
      defaults: those of the arguments that have one.
    """

    function: Callable[..., Any]
    mixes: bool
    kinds: dict[str, Kind]
    defaults: dict[str, Any]

    def checked(self, name: str, argument: str, value: Any) -> Any:
        """The value as the function takes it; ValueError for one of another kind. A default is as it is."""
        default = self.defaults.get(argument, inspect.Parameter.empty)
        if value is default or (type(value) is type(default) and value == default):
            return value
        return self.kinds[argument].checked(name, argument, value)


AUGMENTATIONS: dict[str, Entry] = {}


def augmentation(*, mixes: bool = False, **kinds: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Enter a function of a key, a batch of images (and targets, where it `mixes`) and arguments of these kinds.

    The function is then called with what it expects. It is compiled for each set of shapes and arguments, with jit
    around it or without; ranks and dtypes are promoted inside, and a mesh's explicit axes are automatic.
    """
    arrays = 3 if mixes else 2

    def enter(function: Callable[P, R]) -> Callable[P, R]:
        name, signature = function.__name__, inspect.signature(function)
        assert list(signature.parameters)[arrays:] == list(kinds), f"{name}: each argument needs a kind"
        defaults = {n: p.default for n, p in signature.parameters.items() if p.default is not p.empty}

        @functools.partial(jax.jit, static_argnames="arguments")
        @promoting()
        def compiled(key: Array, *batch: Array, arguments: tuple[tuple[str, Any], ...]) -> Any:
            def run(*taken: Array) -> Any:
                *batch, key = taken
                with jax.named_scope(name):
                    return cast(Any, function)(key, *batch, **dict(arguments))

            return automatic(run, lambda *taken: taken[:-1] if mixes else taken[0], *batch, key)

        @functools.wraps(function)
        def checked(*given: P.args, **named: P.kwargs) -> R:
            bound = signature.bind(*given, **named)
            bound.apply_defaults()
            key, *batch = list(bound.arguments.values())[:arrays]
            batch[0] = checked_images(name, batch[0])
            if mixes:
                batch[1] = _targets(name, batch[1], batch[0])
            arguments = tuple((n, entry.checked(name, n, bound.arguments[n])) for n in kinds)
            return cast(R, compiled(key, *batch, arguments=arguments))

        entry = AUGMENTATIONS[name] = Entry(checked, mixes, kinds, defaults)
        return checked

    return enter


def checked_images(name: str, images: Any) -> Images:
    """The images as an array; ValueError unless they are a batch (n, h, w, c)."""
    array = jnp.asarray(images)
    if array.ndim != 4:
        raise ValueError(
            f"{name}: images has shape {array.shape}; expected a batch (n, h, w, c). For one image write images[None]."
        )
    return array


def _targets(name: str, targets: Any, images: Images) -> Targets:
    array = jnp.asarray(targets)
    if array.ndim != 2 or array.shape[:1] != images.shape[:1] or not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{name}: targets has shape {array.shape} and dtype {array.dtype}; expected probabilities, "
            f"({images.shape[0]}, classes), as labels are mixed, too. Of labels make jax.nn.one_hot(labels, classes)."
        )
    return array


def as_pixels(values: Array, images: Images) -> Images:
    """The values in the images' dtype: for integers the nearest ones, and for uint8 from 0 to 255."""
    if not jnp.issubdtype(images.dtype, jnp.integer):
        return values.astype(images.dtype)
    limits = np.iinfo(images.dtype)
    return jnp.clip(jnp.round(values), limits.min, limits.max).astype(images.dtype)


def as_floats(images: Images) -> Float[Array, "n h w c"]:
    """The images in a dtype to compute in: float32 for integers and half precision."""
    return images.astype(jnp.promote_types(images.dtype, jnp.float32))
