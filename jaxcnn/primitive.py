"""JAX primitives with handwritten derivatives in both modes.

`jax.custom_vjp` has no forward mode. A primitive has a rule for each transformation of JAX, and an `Operation` says all
that they need, through public functions of JAX:

* Its value is `forward` without the residuals, or `value` where it has one, traced once and kept.
* Its derivative at a point is a second primitive, linear in the tangents. What it computes is `tangent`: forward mode.
  How it is transposed is `backward`: reverse mode, also where JAX gets there by forward mode (`jax.checkpoint`).

`DESIGN.md` says why these are not JAX's hijax primitives.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir

try:  # not public; without it reverse mode outside jit keeps the arguments beside the residuals
    from jax._src.interpreters.ad import fallback_linearize_rule, primitive_linearizations
except ImportError:
    primitive_linearizations = None  # type: ignore[assignment]
try:  # not public; without it forward mode through `kernels` can't be lowered: they are hidden in what is traced late
    from jax._src.dispatch import prim_requires_devices_during_lowering
except ImportError:
    prim_requires_devices_during_lowering = set()
try:  # not public; without it a jaxpr shows what is inside an operation, too
    from jax._src.core import _pp_eqn, pp_eqn_rules
except ImportError:
    pp_eqn_rules = None  # type: ignore[assignment]

Arrays = Sequence[Any]
Axes = tuple[int | None, ...]


@dataclass(frozen=True)
class Operation:
    """A function of arrays and its derivatives. All three parts take `options`, which are hashable, as keywords.

    Attributes:
      name: what a jaxpr and a profile call it.
      forward: (*arrays, **options) -> (y, residuals), trees of arrays. Arrays may be None.
      backward: (residuals, dy, **options) -> one cotangent for each array, None for zeros. An integer output has a dy
        of dtype float0. It is traced: what only unwanted cotangents need is never computed.
      tangent: (arrays, tangents, **options) -> y's tangent; None is the tangent of an array that does not move.
      options: their names and values.
      value: (*arrays, **options) -> y, where that does less than `forward` of which the residuals are left out.
    """

    name: str
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., Arrays]
    tangent: Callable[..., Any]
    options: tuple[tuple[str, Any], ...] = ()
    value: Callable[..., Any] | None = None

    def __call__(self, *arrays: Any) -> Any:
        """y. Outside of every transformation forward is compiled whole: faster, and `jax_debug_infs` sees only y."""
        present = tuple(a is not None for a in arrays)
        leaves = [a for a in arrays if a is not None]
        if not any(isinstance(a, jax.core.Tracer) for a in leaves):
            return _result(self, present, *leaves)
        leaves = vary_alike(leaves)
        traced = _traceable.trace(self, present, *leaves)
        results, residuals = map(jax.tree.structure, traced.out_info)
        count = len(jax.tree.leaves(traced.out_info[0]))
        types = tuple(traced.jaxpr.in_avals), tuple(traced.jaxpr.out_avals[:count])
        at = Derivative(self, present, *types, results, residuals)
        alone = None if self.value is None else _result.trace(self, present, *leaves).jaxpr
        programs = {"jaxpr": traced.jaxpr, "alone": alone, "derivative": at}
        flat = primitives(self.name).value.bind(*leaves, **dict(self.options), **programs)
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


@contextmanager
def promoting() -> Iterator[None]:
    """Ranks and dtypes are promoted inside: our own code means it, whatever users forbid themselves."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def _forward(operation: Operation, *arrays: Any) -> tuple[Any, Any]:
    with jax.named_scope(operation.name), promoting():
        return operation.forward(*arrays, **dict(operation.options))


@functools.partial(jax.jit, static_argnums=(0, 1))  # traced, never run: jit keeps what it traced
def _traceable(operation: Operation, present: tuple[bool, ...], *leaves: Any) -> tuple[Any, Any]:
    return _forward(operation, *_put(present, leaves))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _result(operation: Operation, present: tuple[bool, ...], *leaves: Any) -> Any:
    """y without the residuals."""
    if operation.value is None:
        return _forward(operation, *_put(present, leaves))[0]
    with jax.named_scope(operation.name), promoting():
        return operation.value(*_put(present, leaves), **dict(operation.options))


def _put(present: Sequence[bool], leaves: Arrays) -> list[Any]:
    """The arrays, None where none is present."""
    rest = iter(leaves)
    return [next(rest) if there else None for there in present]


def _is_float(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, np.inexact)


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

    @property
    def count(self) -> int:
        """How many arrays y has."""
        return len(self.outputs)

    def types(self) -> list[Any]:
        """Those of the tangents of y's floats."""
        return [a for a in self.outputs if _is_float(a)]

    def push(self, arrays: Arrays, tangents: Arrays) -> list[Any]:
        """Forward mode: the tangents of y's floats."""
        moved = dict(zip(self.moving, tangents, strict=True))
        given = _put(self.present, [moved.get(i) for i in range(len(arrays))])
        with jax.named_scope(self.operation.name), promoting():
            dy = self.operation.tangent(_put(self.present, arrays), given, **dict(self.operation.options))
        flat = zip(self.outputs, jax.tree.leaves(dy), strict=True)
        return [_typed(aval, d, f"{self.operation.name}.tangent") for aval, d in flat if _is_float(aval)]

    def pull(self, residuals: Arrays, cotangents: Arrays) -> list[Any]:
        """Reverse mode: the cotangents of the arrays that move, and nothing that they do not need."""
        traced = _backward.trace(self.of(()), residuals, cotangents)
        given = [i for i, d in enumerate(traced.out_info) if d is not None]
        wanted = [i for i in self.moving if i in given]
        program = _only(traced.jaxpr, tuple(given.index(i) for i in wanted))
        found = dict(zip(wanted, _run(program, *residuals, *cotangents), strict=True))
        return [_typed(self.arguments[i], found.get(i), f"{self.operation.name}.backward") for i in self.moving]


@functools.partial(jax.jit, static_argnums=0)  # traced, never run
def _backward(at: Derivative, residuals: Arrays, cotangents: Arrays) -> list[Any]:
    """One cotangent for each array that is not None."""
    rest = iter(cotangents)
    flat = [next(rest) if _is_float(a) else np.zeros(a.shape, jax.dtypes.float0) for a in at.outputs]
    dy, kept = jax.tree.unflatten(at.results, flat), jax.tree.unflatten(at.residuals, residuals)
    with jax.named_scope(f"{at.operation.name}_backward"), promoting():
        every = at.operation.backward(kept, dy, **dict(at.operation.options))
    return [d for d, there in zip(every, at.present, strict=True) if there]


def _run(program: ClosedJaxpr, *arrays: Any) -> list[Any]:
    """The program's results; where nothing is traced it is compiled whole, not equation by equation."""
    traced = any(isinstance(a, jax.core.Tracer) for a in arrays)
    return jaxpr_as_fun(program)(*arrays) if traced else _compiled(program, *arrays)


@functools.partial(jax.jit, static_argnums=0)
def _compiled(program: ClosedJaxpr, *arrays: Any) -> list[Any]:
    return jaxpr_as_fun(program)(*arrays)


@functools.lru_cache(maxsize=4096)  # the same program for the same question, so that jit knows it
def _only(program: ClosedJaxpr, keep: tuple[int, ...]) -> ClosedJaxpr:
    """The program of these results, without what only the others need."""
    jaxpr = program.jaxpr
    results = [jaxpr.outvars[i] for i in keep]
    needed = {v for v in results if not isinstance(v, Literal)}
    equations: list[Any] = []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or not needed.isdisjoint(equation.outvars):
            needed.update(v for v in equation.invars if not isinstance(v, Literal))
            equations.insert(0, equation)
    debug_info = jaxpr.debug_info._replace(result_paths=None)
    return ClosedJaxpr(jaxpr.replace(eqns=equations, outvars=results, debug_info=debug_info), program.consts)


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
    """A derivative under `vmap`: the mapped axis of each array, residual and tangent; that of y is the first."""

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

    @property
    def count(self) -> int:
        """How many arrays y has."""
        return self.inner.count

    def of(self, moving: Sequence[int]) -> "Mapped":
        """The same where these arrays move."""
        return replace(self, inner=self.inner.of(moving))

    def types(self) -> list[Any]:
        """Those of the tangents of y's floats."""
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


class Primitives(NamedTuple):
    """An operation's value, the same in reverse mode, and its derivative."""

    value: Primitive
    reverse: Primitive
    tangent: Primitive


@functools.cache
def primitives(name: str) -> Primitives:
    """The primitives of the operations of this name; `jaxpr` is what they compute, `derivative` knows both modes."""
    made = Primitives(Primitive(name), Primitive(name), Primitive(f"{name}_tangent"))
    computed: list[Callable[..., Any]] = [_value, _value, _pushed]
    for primitive, compute in zip(made, computed, strict=True):
        primitive.multiple_results = True
        primitive.def_impl(compute)
        mlir.register_lowering(primitive, mlir.lower_fun(compute, multiple_results=True))
        if pp_eqn_rules is not None:
            pp_eqn_rules[primitive] = _show
    value, reverse, tangent = made
    value.def_abstract_eval(lambda *_, jaxpr, derivative, **__: jaxpr.out_avals[: derivative.count])
    batching.fancy_primitive_batchers[value] = functools.partial(_batch_value, value)
    ad.primitive_jvps[value] = functools.partial(_jvp_value, value, tangent, True)
    ad.primitive_jvps[reverse] = functools.partial(_jvp_value, value, tangent, False)
    if primitive_linearizations is not None:

        def linearize(is_vjp: bool, *args: Any, **params: Any) -> Any:
            return fallback_linearize_rule(reverse if is_vjp else value, is_vjp, *args, **params)

        primitive_linearizations[value] = linearize

    tangent.def_abstract_eval(lambda *_, derivative, **__: derivative.types())
    prim_requires_devices_during_lowering.add(tangent)
    batching.fancy_primitive_batchers[tangent] = functools.partial(_batch_tangent, tangent)
    ad.primitive_jvps[tangent] = functools.partial(_jvp_tangent, tangent)
    ad.primitive_transposes[tangent] = _transpose
    return made


def _show(equation: Any, context: Any, settings: Any) -> Any:
    """conv[stride=(1, 1) ...]: the name and the options alone."""
    shown = [name for name in equation.params if name not in ("jaxpr", "alone", "derivative", "split")]
    return _pp_eqn(equation, context, settings, shown)


def _value(*arrays: Any, jaxpr: ClosedJaxpr, alone: ClosedJaxpr | None, derivative: Any, **_: Any) -> list[Any]:
    return _run(alone or _only(jaxpr, tuple(range(derivative.count))), *arrays)


def _batch_value(value: Primitive, axis: Any, arrays: Arrays, dims: Axes, /, **params: Any) -> Any:
    jaxpr, alone, derivative = params["jaxpr"], params["alone"], params["derivative"]
    if all(d is None for d in dims):
        return value.bind(*arrays, **params), [None] * derivative.count
    reached = _reached(jaxpr, [d is not None for d in dims])[derivative.count :]
    residuals = tuple(0 if one else None for one in reached)
    mapped = Mapped(derivative, axis.size, axis.name, tuple(dims), residuals, tuple(dims))
    if alone is not None:
        alone = _mapped.trace(alone, replace(mapped, residual_axes=()), *arrays).jaxpr
    params |= {"jaxpr": _mapped.trace(jaxpr, mapped, *arrays).jaxpr, "alone": alone, "derivative": mapped}
    return value.bind(*arrays, **params), [0] * mapped.count


@functools.partial(jax.jit, static_argnums=(0, 1))  # traced, never run
def _mapped(program: ClosedJaxpr, at: Mapped, *arrays: Any) -> list[Any]:
    return at.each(jaxpr_as_fun(program), at.arrays, [0] * at.count + list(at.residual_axes))(*arrays)


def _reached(program: ClosedJaxpr, mapped: Sequence[bool]) -> list[bool]:
    """Which results depend on the mapped arrays."""
    reached = {v for v, one in zip(program.jaxpr.invars, mapped, strict=True) if one}
    for equation in program.jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in reached for v in equation.invars):
            reached.update(equation.outvars)
    return [not isinstance(v, Literal) and v in reached for v in program.jaxpr.outvars]


def _jvp_value(
    value: Primitive,
    tangent: Primitive,
    evaluated: bool,
    arrays: Arrays,
    tangents: Arrays,
    /,  # an option may have one of these names
    *,
    jaxpr: ClosedJaxpr,
    derivative: Any,
    **options: Any,
) -> tuple[list[Any], list[Any]]:
    """y and its tangent. That takes the arrays, too, where it may be evaluated and not merely transposed."""
    count = derivative.count
    kept = _only(jaxpr, tuple(range(count, len(jaxpr.out_avals))))
    if kept.eqns:
        flat = _run(jaxpr, *arrays)
        y, residuals = flat[:count], flat[count:]
    else:  # the residuals are some of the arrays: y stays one operation, which is not differentiated through its parts
        y, residuals = value.bind(*arrays, jaxpr=jaxpr, derivative=derivative, **options), _run(kept, *arrays)
    moving = [i for i, t in enumerate(tangents) if type(t) is not ad.Zero]
    if not moving:
        return y, list(map(_zero, y))
    at, moved = derivative.of(moving), [tangents[i] for i in moving]
    pushed = iter(_bind_tangent(tangent, at, arrays if evaluated else [], residuals, moved))
    return y, [next(pushed) if _is_float(jax.typeof(a)) else _zero(a) for a in y]


def _bind_tangent(tangent: Primitive, at: Any, arrays: Arrays, residuals: Arrays, tangents: Arrays) -> list[Any]:
    split = len(arrays), len(residuals)
    return tangent.bind(*arrays, *residuals, *tangents, derivative=at, split=split)


def _parts(operands: Arrays, split: tuple[int, int]) -> tuple[list[Any], list[Any], list[Any]]:
    """The tangent's operands: arrays, residuals, tangents."""
    first, second = split[0], sum(split)
    return list(operands[:first]), list(operands[first:second]), list(operands[second:])


def _pushed(*operands: Any, derivative: Derivative | Mapped, split: tuple[int, int]) -> list[Any]:
    """Forward mode, traced only where it is evaluated: reverse mode does not need it."""
    arrays, _residuals, tangents = _parts(operands, split)
    if not arrays:
        raise NotImplementedError("a derivative that was taken for reverse mode is evaluated in forward mode")
    return _run(_push.trace(derivative, arrays, tangents).jaxpr, *arrays, *tangents)


@functools.partial(jax.jit, static_argnums=0)  # traced, never run
def _push(at: Derivative | Mapped, arrays: Arrays, tangents: Arrays) -> list[Any]:
    return at.push(arrays, tangents)


def _batch_tangent(tangent: Primitive, axis: Any, operands: Arrays, dims: Axes, **params: Any) -> Any:
    if all(d is None for d in dims):
        pushed = tangent.bind(*operands, **params)
        return pushed, [None] * len(pushed)
    at, (arrays, residuals, moved) = params["derivative"], _parts(dims, params["split"])
    places = dict(zip(at.moving, moved, strict=True))
    spread = tuple(places.get(i) for i in range(max(at.moving) + 1))
    mapped = Mapped(at, axis.size, axis.name, tuple(arrays), tuple(residuals), spread)
    pushed = _bind_tangent(tangent, mapped, *_parts(operands, params["split"]))
    return pushed, [0] * len(pushed)


def _jvp_tangent(tangent: Primitive, operands: Arrays, dots: Arrays, **params: Any) -> tuple[Arrays, Arrays]:
    """The tangent is linear in the tangents; that it depends on the residuals is told by the arrays alone."""
    arrays, residuals, tangents = _parts(operands, params["split"])
    d_arrays, _, d_tangents = _parts(dots, params["split"])
    out = tangent.bind(*operands, **params)
    total: Arrays = [_zero(a) for a in out]
    if any(type(d) is not ad.Zero for d in d_tangents):
        total = tangent.bind(*arrays, *residuals, *map(ad.instantiate_zeros, d_tangents), **params)
    moving = [i for i, d in enumerate(d_arrays) if type(d) is not ad.Zero]
    if moving:

        def pushed(*moved: Any) -> list[Any]:
            new = dict(zip(moving, moved, strict=True))
            return _pushed(*(new.get(i, a) for i, a in enumerate(arrays)), *residuals, *tangents, **params)

        bent = jax.jvp(pushed, [arrays[i] for i in moving], [d_arrays[i] for i in moving])[1]
        total = [ad.add_tangents(*both) for both in zip(total, bent, strict=True)]
    return out, total


def _transpose(cotangents: Arrays, *operands: Any, derivative: Any, split: Any, **_: Any) -> list[Any]:
    arrays, residuals, tangents = _parts(operands, split)
    asked = [ad.is_undefined_primal(t) for t in tangents]
    moving = [i for i, one in zip(derivative.moving, asked, strict=True) if one]
    pulled = iter(derivative.of(moving).pull(residuals, list(map(ad.instantiate_zeros, cotangents))))
    return [None] * (len(arrays) + len(residuals)) + [next(pulled) if one else None for one in asked]


def _zero(a: Any) -> Any:
    return ad.Zero(jax.typeof(a).to_tangent_aval())


def _axes(a: Any) -> frozenset[Any]:
    """The axes of devices, inside `shard_map`, along which an array varies."""
    return a.vma if hasattr(a, "vma") else a.manual_axis_type.varying  # before JAX 0.12, and since


def _vary(a: Any, axes: frozenset[Any]) -> Any:
    missing = tuple(axes - _axes(jax.typeof(a)))
    return lax.pcast(a, missing, to="varying") if missing else a


def vary_alike(arrays: Arrays) -> list[Any]:
    """The arrays, each varying along the axes along which any does: a cotangent is then summed over the rest by JAX."""
    axes = frozenset().union(*(_axes(jax.typeof(a)) for a in arrays))
    return [_vary(a, axes) for a in arrays]
