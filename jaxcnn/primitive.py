"""JAX primitives with handwritten derivatives in both modes.

`jax.custom_vjp` has no forward mode. A primitive has a rule for each transformation of JAX, and an `Operation` says all
that they need, through public functions of JAX:

* Its value is `forward` without the residuals, traced once and kept.
* Its derivative at a point is a second primitive, linear in the tangents. What it computes is `tangent`: forward mode.
  How it is transposed is `backward`: reverse mode, also where JAX gets there by forward mode, as under `jax.checkpoint`.

JAX's hijax primitives do the same, but in JAX 0.10 a jitted function that holds one leaves jit's fast path: calling a
small network then takes several times as long. They also forget `backward` under `jax.checkpoint` there.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir

try:  # not public; without them all that is lost is memory in reverse mode outside jit, which then keeps arguments, too
    from jax._src.interpreters.ad import fallback_linearize_rule, primitive_linearizations
except ImportError:
    fallback_linearize_rule = None

Arrays = Sequence[Any]
Axes = tuple[int | None, ...]


@dataclass(frozen=True)
class Operation:
    """A function of arrays and its derivatives. All three parts take `options`, which are hashable, as keywords.

    Attributes:
      name: what a jaxpr and a profile call it.
      forward: (*arrays, **options) -> (y, residuals), trees of arrays. Arrays may be None.
      backward: (residuals, dy, wanted, **options) -> one cotangent for each array, None for zeros; `wanted` tells for
        each array whether its cotangent is asked for. An integer output has a dy of dtype float0.
      tangent: (arrays, tangents, **options) -> y's tangent; None is the tangent of an array that does not move.
      options: their names and values.
    """

    name: str
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., Arrays]
    tangent: Callable[..., Any]
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, *arrays: Any) -> Any:
        """y. Outside of every transformation forward runs as it stands."""
        if not any(isinstance(a, jax.core.Tracer) for a in arrays):
            return _forward(self, *arrays)[0]
        present = tuple(a is not None for a in arrays)
        leaves = _vary_alike([a for a in arrays if a is not None])
        traced = _traceable.trace(self, present, *leaves)
        results, residuals = map(jax.tree.structure, traced.out_info)
        avals = traced.jaxpr.in_avals, traced.jaxpr.out_avals[: results.num_leaves]
        at = Derivative(self, present, *map(tuple, avals), results, residuals)
        flat = primitives(self.name).value.bind(*leaves, derivative=Known(traced.jaxpr, at), **dict(self.options))
        return jax.tree.unflatten(results, flat)


@dataclass(frozen=True)
class TangentOf:
    """The tangent of a function as JAX derives it."""

    function: Callable[..., Any]

    def __call__(self, arrays: Arrays, tangents: Arrays, **options: Any) -> Any:
        moving = [i for i, t in enumerate(tangents) if t is not None]

        def moved(*new: Any) -> Any:
            places = dict(zip(moving, new, strict=True))
            return self.function(*(places.get(i, a) for i, a in enumerate(arrays)), **options)

        return jax.jvp(moved, [arrays[i] for i in moving], [tangents[i] for i in moving])[1]


def _forward(operation: Operation, *arrays: Any) -> tuple[Any, Any]:
    with jax.named_scope(operation.name):
        return operation.forward(*arrays, **dict(operation.options))


@functools.partial(jax.jit, static_argnums=(0, 1))  # never run: jit keeps what it traced
def _traceable(operation: Operation, present: tuple[bool, ...], *leaves: Any) -> tuple[Any, Any]:
    return _forward(operation, *_put(present, leaves))


def _put(present: Sequence[bool], leaves: Arrays) -> list[Any]:
    """The arrays, None where none is present."""
    rest = iter(leaves)
    return [next(rest) if there else None for there in present]


def _is_float(aval: Any) -> bool:
    return bool(jax.dtypes.issubdtype(aval.dtype, np.inexact))


@dataclass(frozen=True)
class Derivative:
    """The linear map from the tangents of the arrays `moving` to those of y's floats.

    Attributes:
      operation, present: of what, and which arrays are not None; all other lists are of the present ones.
      arguments, outputs: the types of the arrays and of y.
      results, residuals: the trees of y and of the residuals.
      moving: the places of the arrays that move.
    """

    operation: Operation
    present: tuple[bool, ...]
    arguments: tuple[Any, ...]
    outputs: tuple[Any, ...]
    results: Any
    residuals: Any
    moving: tuple[int, ...] = ()

    def of(self, moving: Sequence[int]) -> "Derivative":
        """The same where these arrays move."""
        return replace(self, moving=tuple(moving))

    def types(self) -> list[Any]:
        """Those of the tangents of y."""
        return [a for a in self.outputs if _is_float(a)]

    def push(self, arrays: Arrays, tangents: Arrays) -> list[Any]:
        """Forward mode: the tangents of y's floats."""
        moved = dict(zip(self.moving, tangents, strict=True))
        given = _put(self.present, [moved.get(i) for i in range(len(arrays))])
        with jax.named_scope(self.operation.name):
            dy = self.operation.tangent(_put(self.present, arrays), given, **dict(self.operation.options))
        flat = zip(self.outputs, jax.tree.leaves(dy), strict=True)
        return [_typed(aval, d, f"{self.operation.name}.tangent") for aval, d in flat if _is_float(aval)]

    def pull(self, residuals: Arrays, cotangents: Arrays) -> list[Any]:
        """Reverse mode: the cotangents of the arrays that move."""
        rest = iter(cotangents)
        flat = [next(rest) if _is_float(a) else np.zeros(a.shape, jax.dtypes.float0) for a in self.outputs]
        dy = jax.tree.unflatten(self.results, flat)
        wanted = _put(self.present, [i in self.moving for i in range(len(self.arguments))])
        with jax.named_scope(f"{self.operation.name}_backward"):
            every = self.operation.backward(
                jax.tree.unflatten(self.residuals, residuals), dy, tuple(map(bool, wanted)), **dict(self.operation.options)
            )
        found = [d for d, there in zip(every, self.present, strict=True) if there]
        return [_typed(self.arguments[i], found[i], f"{self.operation.name}.backward") for i in self.moving]


def _typed(aval: Any, derivative: Any, of: str) -> Any:
    """A derivative with the shape and dtype of what it belongs to; None is zeros."""
    if derivative is None:
        return ad.zeros_like_aval(aval)
    shape, dtype = np.shape(derivative), jnp.result_type(derivative)
    if shape != aval.shape or dtype != aval.dtype:
        expected, seen = (f"{d}{list(s)}" for d, s in ((aval.dtype, aval.shape), (dtype, shape)))
        raise ValueError(f"{of} returned {seen} for an array {expected}; expected the same shape and dtype.")
    return _vary(derivative, _axes(aval))


@dataclass(frozen=True)
class Mapped:
    """A derivative under `vmap`: the axis of each array, residual and tangent that is mapped; that of y is the first."""

    inner: "Derivative | Mapped"
    size: int
    name: Any
    arrays: Axes
    residual_axes: Axes
    tangents: Axes

    @property
    def moving(self) -> tuple[int, ...]:
        """The places of the arrays that move."""
        return self.inner.moving

    def of(self, moving: Sequence[int]) -> "Mapped":
        """The same where these arrays move."""
        return replace(self, inner=self.inner.of(moving))

    def types(self) -> list[Any]:
        """Those of the tangents of y."""
        each = [self.each(lambda _, a=a: ad.zeros_like_aval(a), (0,)) for a in self.inner.types()]
        return [jax.make_jaxpr(one)(np.zeros(self.size)).out_avals[0] for one in each]

    def push(self, arrays: Arrays, tangents: Arrays) -> list[Any]:
        """Forward mode: the tangents of y's floats."""
        return self.each(self.inner.push, (list(self.arrays), self._moved()))(list(arrays), list(tangents))

    def pull(self, residuals: Arrays, cotangents: Arrays) -> list[Any]:
        """Reverse mode: the cotangents of the arrays that move; an array that serves all gets their sum."""
        each = self.each(self.inner.pull, (list(self.residual_axes), 0))(list(residuals), list(cotangents))
        moved = zip(each, self._moved(), strict=True)
        return [d.sum(0) if axis is None else jnp.moveaxis(d, 0, axis) for d, axis in moved]

    def _moved(self) -> list[int | None]:
        return [self.tangents[i] for i in self.moving]

    def each(self, function: Callable[..., Any], axes: Any, out: Any = 0) -> Callable[..., Any]:
        """A function of one entry along the mapped axis as one of all."""
        return jax.vmap(function, axes, out, axis_size=self.size, axis_name=self.name)


@dataclass(frozen=True)
class Known:
    """What is known of an operation on arrays of these types: its program, (*arrays) -> (*y, *residuals), and derivative."""

    program: ClosedJaxpr
    at: Derivative | Mapped

    def __repr__(self) -> str:  # in a jaxpr
        return "handwritten"

    @property
    def count(self) -> int:
        """How many of the program's results are y."""
        at = self.at
        while isinstance(at, Mapped):
            at = at.inner
        return len(at.outputs)

    def __call__(self, *arrays: Any) -> tuple[list[Any], list[Any]]:
        """y and the residuals."""
        flat = jaxpr_as_fun(self.program)(*arrays)
        return flat[: self.count], flat[self.count :]


class Primitives(NamedTuple):
    """An operation's value, the same in reverse mode, and its derivative."""

    value: Primitive
    reverse: Primitive
    tangent: Primitive


@functools.cache
def primitives(name: str) -> Primitives:
    """The primitives of the operations of this name."""
    made = Primitives(Primitive(name), Primitive(name), Primitive(f"{name}_tangent"))
    for primitive in made:
        primitive.multiple_results = True
    value, reverse, tangent = made

    def compute(*arrays: Any, derivative: Known, **_: Any) -> list[Any]:
        return derivative(*arrays)[0]

    value.def_impl(compute)
    value.def_abstract_eval(lambda *_, derivative, **__: derivative.program.out_avals[: derivative.count])
    mlir.register_lowering(value, mlir.lower_fun(compute, multiple_results=True))
    batching.fancy_primitive_batchers[value] = functools.partial(_batch_value, value)
    ad.primitive_jvps[value] = functools.partial(_jvp_value, tangent, True)
    ad.primitive_jvps[reverse] = functools.partial(_jvp_value, tangent, False)
    if fallback_linearize_rule is not None:

        def linearize(is_vjp: bool, *args: Any, **params: Any) -> Any:
            return fallback_linearize_rule(reverse if is_vjp else value, is_vjp, *args, **params)

        primitive_linearizations[value] = linearize

    tangent.def_impl(lambda *operands, **params: _pushed(tuple(params.items()), *operands))
    tangent.def_abstract_eval(lambda *_, at, split: at.types())
    mlir.register_lowering(tangent, mlir.lower_fun(_push, multiple_results=True))
    batching.fancy_primitive_batchers[tangent] = functools.partial(_batch_tangent, tangent)
    ad.primitive_jvps[tangent] = functools.partial(_jvp_tangent, tangent)
    ad.primitive_transposes[tangent] = _transpose
    return made


def _batch_value(value: Primitive, axis: Any, arrays: Arrays, dims: Axes, *, derivative: Known, **options: Any) -> Any:
    count = derivative.count
    if all(d is None for d in dims):
        return value.bind(*arrays, derivative=derivative, **options), [None] * count
    reached = _reached(derivative.program, [d is not None for d in dims])[count:]
    residuals = tuple(0 if one else None for one in reached)
    mapped = Mapped(derivative.at, axis.size, axis.name, tuple(dims), residuals, tuple(dims))
    program = mapped.each(jaxpr_as_fun(derivative.program), tuple(dims), [0] * count + list(residuals))
    known = Known(jax.make_jaxpr(program)(*arrays), mapped)
    return value.bind(*arrays, derivative=known, **options), [0] * count


def _reached(program: ClosedJaxpr, mapped: Sequence[bool]) -> list[bool]:
    """Which results depend on the mapped arrays."""
    reached = {v for v, one in zip(program.jaxpr.invars, mapped, strict=True) if one}
    for equation in program.jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in reached for v in equation.invars):
            reached.update(equation.outvars)
    return [not isinstance(v, Literal) and v in reached for v in program.jaxpr.outvars]


def _jvp_value(
    tangent: Primitive, evaluated: bool, arrays: Arrays, tangents: Arrays, *, derivative: Known, **_: Any
) -> tuple[list[Any], list[Any]]:
    """y and its tangent, whose operands are the arrays only where it may be evaluated and not merely transposed."""
    y, residuals = derivative(*arrays)
    moving = [i for i, t in enumerate(tangents) if type(t) is not ad.Zero]
    kept = arrays if evaluated else []
    pushed = iter(
        tangent.bind(
            *kept,
            *residuals,
            *(tangents[i] for i in moving),
            at=derivative.at.of(moving),
            split=(len(kept), len(residuals)),
        )
    )
    return y, [next(pushed) if _is_float(jax.typeof(a)) else _zero(a) for a in y]


def _zero(a: Any) -> Any:
    return ad.Zero(jax.typeof(a).to_tangent_aval())


def _parts(operands: Arrays, split: tuple[int, int]) -> tuple[list[Any], list[Any], list[Any]]:
    """The tangent's operands: arrays, residuals, tangents."""
    arrays, residuals = split
    return (
        list(operands[:arrays]),
        list(operands[arrays : arrays + residuals]),
        list(operands[arrays + residuals :]),
    )


def _push(*operands: Any, at: Derivative | Mapped, split: tuple[int, int]) -> list[Any]:
    arrays, _, tangents = _parts(operands, split)
    if not arrays:
        raise NotImplementedError("a derivative taken for reverse mode is evaluated in forward mode")
    return at.push(arrays, tangents)


@functools.partial(jax.jit, static_argnums=0)
def _pushed(params: Any, *operands: Any) -> list[Any]:
    return _push(*operands, **dict(params))


def _batch_tangent(tangent: Primitive, axis: Any, operands: Arrays, dims: Axes, *, at: Any, split: Any) -> Any:
    if all(d is None for d in dims):
        pushed = tangent.bind(*operands, at=at, split=split)
        return pushed, [None] * len(pushed)
    arrays, residuals, moved = _parts(dims, split)
    places = dict(zip(at.moving, moved, strict=True))
    spread = tuple(places.get(i) for i in range(max(at.moving) + 1))
    mapped = Mapped(at, axis.size, axis.name, tuple(arrays), tuple(residuals), spread)
    pushed = tangent.bind(*operands, at=mapped, split=split)
    return pushed, [0] * len(pushed)


def _jvp_tangent(tangent: Primitive, operands: Arrays, dots: Arrays, *, at: Any, split: Any) -> Any:
    """The tangent is linear in the tangents; that it depends on the residuals is told by the arrays alone."""
    arrays, residuals, tangents = _parts(operands, split)
    d_arrays, _, d_tangents = _parts(dots, split)
    out = tangent.bind(*operands, at=at, split=split)
    total = [_zero(a) for a in out]
    if any(type(d) is not ad.Zero for d in d_tangents):
        moved = map(ad.instantiate_zeros, d_tangents)
        total = tangent.bind(*arrays, *residuals, *moved, at=at, split=split)
    moving = [i for i, d in enumerate(d_arrays) if type(d) is not ad.Zero]
    if moving:

        def pushed(*moved: Any) -> list[Any]:
            new = dict(zip(moving, moved, strict=True))
            return at.push([new.get(i, a) for i, a in enumerate(arrays)], tangents)

        bent = jax.jvp(pushed, [arrays[i] for i in moving], [d_arrays[i] for i in moving])[1]
        total = list(map(ad.add_tangents, total, bent))
    return out, total


def _transpose(cotangents: Arrays, *operands: Any, at: Any, split: Any) -> list[Any]:
    arrays, residuals, tangents = _parts(operands, split)
    asked = [ad.is_undefined_primal(t) for t in tangents]
    moving = [i for i, one in zip(at.moving, asked, strict=True) if one]
    pulled = iter(at.of(moving).pull(residuals, list(map(ad.instantiate_zeros, cotangents))))
    return [None] * (len(arrays) + len(residuals)) + [next(pulled) if one else None for one in asked]


def _axes(a: Any) -> frozenset[Any]:
    """The axes of devices, inside `shard_map`, along which an array varies."""
    return a.vma if hasattr(a, "vma") else a.manual_axis_type.varying  # before JAX 0.12, and since


def _vary(a: Any, axes: frozenset[Any]) -> Any:
    missing = tuple(axes - _axes(jax.typeof(a)))
    return lax.pcast(a, missing, to="varying") if missing else a


def _vary_alike(arrays: Arrays) -> list[Any]:
    """The arrays, each varying along the axes along which any does: a cotangent is then summed over the rest by JAX."""
    axes = frozenset().union(*(_axes(jax.typeof(a)) for a in arrays))
    return [_vary(a, axes) for a in arrays]
