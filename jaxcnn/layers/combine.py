"""Layers made of layers: one after another, or side by side."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers.base import Layer, Params, Pullback, State, described, fold, inside, output
from jaxcnn.layers.describe import Field, Row
from jaxcnn.layers.pointwise import Activation
from jaxcnn.layers.shape import MaxPool
from jaxcnn.mesh import automatic, cut_as
from jaxcnn.ops.arguments import explained
from jaxcnn.primitive import promoting

EXPECTED = "expected a layer, such as Conv(32) or Activation('relu')."

_Part = tuple[str, Layer, Params, State, Array | None]  # its name, what it takes, and its key


@dataclass(frozen=True, repr=False)
class Combinator(Layer):
    """Named parts; a part's name is its path in params, state, checkpoints and the summary.

    A network of some of another's parts takes the other's params and state: names that it has no part for are left.
    """

    parts: tuple[tuple[str, Layer], ...] = ()

    def _each(self, params: Params, state: State, key: Array | None) -> Iterator[_Part]:
        for name, layer in self.parts:
            yield name, layer, params.get(name, {}), state.get(name, {}), None if key is None else fold(key, name)


@dataclass(frozen=True, repr=False)
class Chain(Combinator):
    """Layers one after another; write it as `chain(name=layer, ...)` or `chain(layer, ...)`."""

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        params, state = {}, {}
        x = described(x)
        for name, layer in self.parts:
            with inside(name):
                params[name], state[name] = layer.init(fold(key, name), x)
                x = output(layer, params[name], state[name], x)
        return _kept(params), _kept(state)

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        new = {}
        for name, layer, p, s, k in _relu_after_pool(self._each(params, state, key)):
            with inside(name):
                x, new[name] = layer.apply(p, s, x, train=train, key=k)
        return x, _kept(new)

    def backprop(
        self, params: Params, state: State, x: Array, *, key: Array | None = None
    ) -> tuple[Array, State, Pullback]:
        """Forward through the parts in order, then the chain rule through them in reverse.

        With y_l = f_l(y_{l-1}) and δ_l = ∂loss/∂y_l: δ_{l-1} = (∂f_l/∂y_{l-1})ᵀ δ_l, and the gradient of layer l's
        parameters is (∂f_l/∂params_l)ᵀ δ_l (Rumelhart, Hinton & Williams 1986).
        """
        new, pullbacks = {}, {}
        for name, layer, p, s, k in self._each(params, state, key):
            with inside(name):
                x, new[name], pullbacks[name] = layer.backprop(p, s, x, key=k)

        def pullback(delta: Array) -> tuple[Params, Array, dict[str, Array]]:
            gradients: Params = {}
            deltas: dict[str, Array] = {}
            for name, pull in reversed(pullbacks.items()):
                gradients[name], delta, within = pull(delta)
                deltas |= _under(name, within)
            return _kept(gradients), delta, deltas

        return x, _kept(new), pullback

    def rows(self, x: ShapeDtypeStruct, field: Field) -> tuple[list[Row], ShapeDtypeStruct, Field]:
        rows = []
        for name, layer in self.parts:
            with inside(name):
                part, x, field = layer.rows(x, field)
            rows += [row.under(name) for row in part]
        return rows, x, field

    def __repr__(self) -> str:
        return f"chain({_named(self.parts)})"


def _relu_after_pool(parts: Iterable[_Part]) -> list[_Part]:
    """The parts, a relu that a max pool follows put after it: there it has a quarter of the numbers or less.

    relu(max x) = max relu(x), and so are the gradients: both give dy to the first maximum where it is above 0.
    """
    ordered = list(parts)
    for i, (first, then) in enumerate(pairwise(ordered)):
        if isinstance(first[1], Activation) and first[1].name == "relu" and isinstance(then[1], MaxPool):
            ordered[i : i + 2] = then, first
    return ordered


def chain(*unnamed: Layer, **layers: Layer) -> Chain:
    """Layers one after another; `chain()` is the identity. Raises TypeError for a value that is not a layer.

    >>> chain(conv=Conv(32), relu=Activation("relu"), pool=MaxPool(2))
    chain(conv=Conv(features=32), relu=Activation(name='relu'), pool=MaxPool())

    A layer without a name gets its kind's and its number among those, as in Flax; a layer of another kind put between
    them renames none.

    >>> chain(Conv(32), MaxPool(2), Conv(64))
    chain(Conv_0=Conv(features=32), MaxPool_0=MaxPool(), Conv_1=Conv(features=64))
    """
    return Chain(_layers("chain", layers, unnamed))


@dataclass(frozen=True, repr=False)
class Branches(Combinator):
    """Layers side by side on the same input, their outputs joined; see `residual`, `concat`, `gated`."""

    join: Literal["add", "concat", "multiply"] = "add"

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        params, state = {}, {}
        for name, layer in self.parts:
            with inside(name):
                params[name], state[name] = layer.init(fold(key, name), x)
        return _kept(params), _kept(state)

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        outputs, new = [], {}
        for name, layer, p, s, k in self._each(params, state, key):
            with inside(name):
                y, new[name] = layer.apply(p, s, x, train=train, key=k)
            outputs.append(y)
        return self._joined(outputs), _kept(new)

    def backprop(
        self, params: Params, state: State, x: Array, *, key: Array | None = None
    ) -> tuple[Array, State, Pullback]:
        """Each branch gets its share of δ, see `_shares`; x went into every branch, so its gradient is their sum."""
        outputs, new, pullbacks = [], {}, {}
        for name, layer, p, s, k in self._each(params, state, key):
            with inside(name):
                y, new[name], pullbacks[name] = layer.backprop(p, s, x, key=k)
            outputs.append(y)

        def pullback(delta: Array) -> tuple[Params, Array, dict[str, Array]]:
            shares = self._shares(outputs, delta)
            gradients: Params = {}
            deltas, dx = {"": delta}, jnp.zeros_like(x)
            for (name, pull), share in reversed(list(zip(pullbacks.items(), shares, strict=True))):
                gradients[name], dbranch, within = pull(share)
                dx += dbranch
                deltas |= _under(name, within)
            return _kept(gradients), dx, deltas

        return self._joined(outputs), _kept(new), pullback

    def rows(self, x: ShapeDtypeStruct, field: Field) -> tuple[list[Row], ShapeDtypeStruct, Field]:
        rows, outputs, fields = [], [], []
        for name, layer in self.parts:
            with inside(name):
                part, y, after = layer.rows(x, field)
            rows += [row.under(name) for row in part]
            outputs.append(y)
            fields.append(after)
        y, joined = jax.eval_shape(lambda *ys: self._joined(ys), *outputs), reduce(Field.joined, fields)
        return [*rows, Row("", self.join, y.shape[1:], 0, 0, 0, joined, ())], y, joined

    def _joined(self, outputs: Sequence[Array]) -> Array:
        """The branches' outputs as one, of their common dtype."""
        with promoting():
            return automatic(self._join, self._join, *outputs)

    def _join(self, *outputs: Array) -> Array:
        if self.join == "multiply":
            body, gate = outputs
            return body * _spread(gate, body)
        same = [y.shape if self.join == "add" else y.shape[:-1] for y in outputs]
        if len(set(same)) > 1:
            ends = ", ".join(f"{name} in {y.shape}" for (name, _), y in zip(self.parts, outputs, strict=True))
            raise ValueError(
                f"the branches end in different shapes: {ends}. Give them the same stride and padding"
                + (", and the shortcut a 1×1 Conv to the body's channels." if self.join == "add" else ".")
            )
        return sum(outputs[1:], outputs[0]) if self.join == "add" else jnp.concatenate(outputs, axis=-1)

    def _shares(self, outputs: Sequence[Array], delta: Array) -> list[Array]:
        """δ at each branch's output, of its dtype and cut up for devices as it is."""
        with promoting():
            shares = automatic(self._share, self._share, delta, *outputs)
        return [cut_as(y, share.astype(y.dtype)) for share, y in zip(shares, outputs, strict=True)]

    def _share(self, delta: Array, *outputs: Array) -> list[Array]:
        """δ at each branch's output: all of δ for a sum, its own channels of it for a concatenation.

        For y = body · gate the product rule: gate δ for the body, and body δ for the gate, summed over the places that
        one value of the gate serves.
        """
        if self.join == "add":
            return [delta] * len(outputs)
        if self.join == "concat":
            ends = [sum(y.shape[-1] for y in outputs[: i + 1]) for i in range(len(outputs) - 1)]
            return jnp.split(delta, ends, axis=-1)
        body, gate = outputs
        served = range(1, 1 + body.ndim - gate.ndim)
        return [_spread(gate, body) * delta, (body * delta).sum(served)]

    def __repr__(self) -> str:
        return f"{_kind(self)}({_named(self.parts)})"


@explained
def residual(body: Layer, shortcut: Layer | None = None) -> Branches:
    """y = body(x) + shortcut(x), the shortcut being the identity unless given (He et al. 2016, equations 1, 2)."""
    return Branches(_layers("residual", {"body": body, "shortcut": shortcut or chain()}), "add")


def concat(*unnamed: Layer, **branches: Layer) -> Branches:
    """The branches' outputs one after another along the channels (Szegedy et al. 2015); names as in `chain`."""
    return Branches(_layers("concat", branches, unnamed), "concat")


@explained
def gated(gate: Layer, body: Layer | None = None) -> Branches:
    """y = body(x) · gate(x), the body being the identity unless given.

    The gate ends in the body's shape, or in (n, channels): one factor for each channel of an example, as in
    `squeeze_excite`.
    """
    return Branches(_layers("gated", {"body": body or chain(), "gate": gate}), "multiply")


def _spread(gate: Array, body: Array) -> Array:
    """The gate with axes of length 1 in the places of the body's spatial axes, where it has none itself."""
    if gate.shape not in (body.shape, (*body.shape[:1], *body.shape[-1:])):
        raise ValueError(
            f"the gate ends in {gate.shape} and the body in {body.shape}; expected a gate of the body's shape, or of "
            f"(n, channels), {(*body.shape[:1], *body.shape[-1:])}."
        )
    return gate if gate.ndim == body.ndim else jnp.expand_dims(gate, tuple(range(1, body.ndim - 1)))


def _kind(layer: Layer) -> str:
    """What a layer is called where it is written."""
    if isinstance(layer, Branches):
        return {"add": "residual", "concat": "concat", "multiply": "gated"}[layer.join]
    return "chain" if isinstance(layer, Chain) else type(layer).__name__


def _layers(owner: str, named: dict[str, Layer], unnamed: Sequence[Layer] = ()) -> tuple[tuple[str, Layer], ...]:
    """Names and layers: first those without a name, which get their kind's and their number among those."""
    numbers: Counter[str] = Counter()
    made: dict[str, Layer] = {}
    for place, layer in enumerate(unnamed):
        if not isinstance(layer, Layer):
            hint = f" Write {owner}(*layers)." if isinstance(layer, list | tuple) else ""
            raise TypeError(f"{owner}: argument {place} is {layer!r}; {EXPECTED}{hint}")
        kind = _kind(layer)
        made[f"{kind}_{numbers[kind]}"] = layer
        numbers[kind] += 1
    for name in named:
        if name in made:
            raise ValueError(f"{owner}: {name!r} is also the name of a layer that was given none; choose another.")
    named = made | named
    for name, layer in named.items():
        if not isinstance(layer, Layer):
            raise TypeError(f"{owner}: {name} is {layer!r}; {EXPECTED}")
        if "__dataclass_params__" not in vars(type(layer)):  # else all of its kind would compare equal
            kind = type(layer).__name__
            raise TypeError(f"{owner}: {name} is a {kind}; write @dataclass(frozen=True) above class {kind}.")
        if not name or "/" in name:
            raise ValueError(f"{owner}: a layer is called {name!r}; a name has 1 or more characters and no '/'.")
    if owner == "concat" and not named:
        raise TypeError("concat: no branches; give at least one, such as concat(a=Conv(8), b=Conv(8, 5)).")
    return tuple(named.items())


def _kept(named: dict[str, Any]) -> dict[str, Any]:
    """Without the empty ones: a layer that has no parameters has no entry."""
    return {name: value for name, value in named.items() if value}


def _under(name: str, deltas: dict[str, Array]) -> dict[str, Array]:
    return {f"{name}/{path}" if path else name: delta for path, delta in deltas.items()}


def _named(parts: tuple[tuple[str, Layer], ...]) -> str:
    return ", ".join(f"{name}={layer!r}" for name, layer in parts)
