"""What a layer is: a frozen dataclass with pure methods. A whole network is again a layer."""

import difflib
import functools
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers.calls import told_what_to_write, wrong_call
from jaxcnn.layers.describe import Field, Row
from jaxcnn.ops.arguments import only_known, true_or_false
from jaxcnn.ops.geometry import known

Params = dict[str, Any]
State = dict[str, Any]
# dy -> (dparams, dx, δ by path, last layer first; a layer's own δ, dy itself, has the path "")
Pullback = Callable[[Array], tuple[Params, Array, dict[str, Array]]]


@dataclass(frozen=True, repr=False)
class Layer(ABC):
    """A layer: hashable, printable, comparable; it holds options and no arrays.

    `params` is what training changes by gradient, `state` what it keeps beside: batch norm's running statistics,
    spectral norm's vector. Both are nested dicts keyed by the names that `chain` gives, and `{}` for a layer that has
    none.

    A new layer implements `apply` (most are a `Function`, with less to say), and `init` if it has parameters; the rest
    follows. A combinator, a layer made of layers, also says how backpropagation (`backprop`) and the summary (`rows`)
    pass through its parts.

    Options may be numbers and arrays of NumPy's or JAX's; what the layer keeps of them are Python's.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "apply" in vars(cls):
            cls.apply = told_what_to_write(vars(cls)["apply"])  # type: ignore[method-assign]

    def __new__(cls, *_: Any, **options: Any) -> Self:
        """Python's own, but that it has a better word for the options of other libraries."""
        only_known(cls.__name__, cls, options)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for f in fields(self):  # lists and arrays would not hash
            object.__setattr__(self, f.name, known(getattr(self, f.name)))
            if isinstance(f.default, bool):
                true_or_false(type(self).__name__, f.name, getattr(self, f.name))

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        """Fresh parameters and state for inputs of x's shape and dtype; x's batch size does not matter."""
        return {}, {}

    @abstractmethod
    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        """(y, new state). `key` is needed only for training through dropout."""

    def __call__(self, *arguments: Any, **options: Any) -> Array:
        """y in evaluation: `net(params, state, x)`, or `net(params, x)` where there is no state.

        Raises TypeError for anything else: a layer holds no parameters, and training has a new state to return.
        """
        if options or len(arguments) not in (2, 3):
            raise wrong_call(type(self).__name__, arguments, options)
        state = arguments[1] if len(arguments) == 3 else {}
        return self.apply(arguments[0], state, arguments[-1])[0]

    def backprop(
        self, params: Params, state: State, x: Array, *, key: Array | None = None
    ) -> tuple[Array, State, Pullback]:
        """The training forward, and the pullback that turns dy into this layer's gradients and dx.

        One layer is one rule, so pulling back through it is calling that rule's handwritten backward.
        """

        def forward(params: Params, x: Array) -> tuple[Array, State]:
            return self.apply(params, state, x, train=True, key=key)

        y, pull, new_state = jax.vjp(forward, params, x, has_aux=True)
        return y, new_state, lambda dy: (*pull(dy), {"": dy})

    def rows(self, x: ShapeDtypeStruct, field: Field) -> tuple[list[Row], ShapeDtypeStruct, Field]:
        """This layer's rows of the summary, its output's shape, and the receptive field there."""
        params, state = shapes_of(self, x)
        y = output(self, params, state, x)
        field, unseen = self.look(x, field)
        row = Row(
            path="",
            kind=type(self).__name__,
            shape=y.shape[1:],
            trainable=_count(params),
            fixed=_count(state),
            multiply_adds=self.multiply_adds(x, y),
            field=field,
            unseen=unseen,
        )
        return [row], y, field

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        """The receptive field after this layer, and how many positions of each axis of x it never reads."""
        return field, ()

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        """Multiplications of an input by a weight, for one example."""
        return 0

    def __repr__(self) -> str:
        """The options that differ from their defaults."""
        shown = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class Function(Layer):
    """A layer whose y depends on params and x alone: no state, no randomness, and training as evaluation.

    A new one implements `forward` in place of `apply`.
    """

    @abstractmethod
    def forward(self, params: Params, x: Array) -> Array:
        """y."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        entries("state", state)
        if type(self).init is Layer.init:
            entries("params", params)
        return self.forward(params, x), {}


def entries(which: str, given: Mapping[str, Any], *names: str | None) -> list[Any]:
    """What a layer's params or state has under these names, None for None.

    ValueError where it has more, which would be left out in silence. KeyError where it lacks one, of which `apply`
    makes a ValueError.
    """
    taken = [name for name in names if name is not None]
    for name in given.keys() - set(taken):
        raise ValueError(
            f"{which} has {name!r}, but this layer takes {' and '.join(map(repr, taken)) or 'nothing'}; "
            "both params and state must come from this network's init."
        )
    return [None if name is None else given[name] for name in names]


def described(x: Any) -> ShapeDtypeStruct:
    """`x`, an array or a description of one, as JAX would hold it; ValueError if it is neither, or not of floats."""
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise ValueError(
            f"init: x is {x!r}; expected an example batch, or its description jax.ShapeDtypeStruct(shape, jnp.float32)."
        )
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"init: x has dtype {x.dtype}; describe what the network takes, floats: jnp.float32.")
    return ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def output(layer: Layer, params: Params, state: State, x: ShapeDtypeStruct) -> ShapeDtypeStruct:
    """The shape and dtype of the layer's output, without computing it."""
    return _applied.eval_shape(layer, params, state, x)


def shapes_of(layer: Layer, x: ShapeDtypeStruct) -> tuple[Params, State]:
    """The layer's params and state for inputs like x as shapes and dtypes, without computing them."""
    key: ShapeDtypeStruct = jax.eval_shape(jax.random.key, 0)
    return initialised.eval_shape(layer, x.shape, x.dtype, key)


# Jitted to be traced, since jit keeps what it traced: a network asks the same again for each block around a layer.


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def initialised(layer: Layer, shape: tuple[int, ...], dtype: Any, key: Array) -> tuple[Params, State]:
    """The layer's `init`, for inputs of this shape and dtype."""
    return layer.init(key, ShapeDtypeStruct(shape, dtype))


@functools.partial(jax.jit, static_argnums=0)
def _applied(layer: Layer, params: Params, state: State, x: Array) -> Array:
    return layer.apply(params, state, x)[0]


def fold(key: Array, name: str) -> Array:
    """A key for the part called `name`: from the name, so that a new part does not reshuffle the others."""
    try:
        return jax.random.fold_in(key, zlib.crc32(name.encode()))
    except (TypeError, ValueError):
        raise ValueError(f"key is {key!r}; expected one random key, such as jax.random.key(0).") from None


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Say in which layer an error arose."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"layer {name!r}: {error}") from error


def one_of(owner: str, argument: str, value: str, known: Iterable[str]) -> None:
    """ValueError with the nearest name if `value` is not `known`."""
    known = list(known)
    if value not in known:
        near = difflib.get_close_matches(str(value), known, 1)
        hint = f". Did you mean {near[0]!r}? Expected" if near else "; expected"
        raise ValueError(f"{owner}: {argument} is {value!r}{hint} one of {', '.join(map(repr, known))}.")


def _count(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
