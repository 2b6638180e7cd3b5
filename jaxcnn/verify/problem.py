"""The function under test, seen as a map between lists of float arrays.

Arguments and outputs may be any pytrees. Everything that is not an array of floats (labels, random keys, absent
biases) stays as it was given; what is left is one flat list of named arrays, which the checks vary.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify import reading
from jaxcnn.verify.program import precision
from jaxcnn.verify.reading import is_float

Arrays = list[np.ndarray[Any, Any]]
Maybe = list[np.ndarray[Any, Any] | None]

STEP = 1e-3  # along tangents that are of the size of their arrays
_MOST_CONSTANTS = 8


def _is_float0(a: Any) -> bool:
    """True for the cotangent that JAX gives to integers."""
    return hasattr(a, "dtype") and a.dtype == jax.dtypes.float0


@dataclass(frozen=True, eq=False)
class Problem:
    """A forward, the backward under test, and, where there is one, the plain function that JAX may differentiate.

    Attributes:
      name: for the report.
      args: the arguments as given.
      forward: (*args) -> y, the forward under test.
      pull: (args, dy) -> (y, cotangents), the latter as the backward under test returns them, whatever they are.
      plain: (*args) -> y without the backward under test, or None.
      unbound: (*args, **static) -> y, whose parameters' names the arguments have.
      naive: (*args) -> y in NumPy, or None.
      push: (args, tangents) -> the tangent of y, the forward mode under test, or None; a tangent is None where the
        argument has none.
      outside: (args, dy) -> the same as `pull`, as it is computed outside of transformations, or None: by `pull`.
      rule, static: the rule's name and its options, for the report and for the likely cause.
    """

    name: str
    args: tuple[Any, ...]
    forward: Callable[..., Any]
    pull: Callable[[tuple[Any, ...], Any], tuple[Any, Any]]
    plain: Callable[..., Any] | None
    unbound: Callable[..., Any]
    naive: Callable[..., Any] | None = None
    push: Callable[[tuple[Any, ...], tuple[Any, ...]], Any] | None = None
    outside: Callable[[tuple[Any, ...], Any], tuple[Any, Any]] | None = None
    rule: str | None = None
    static: dict[str, Any] = field(default_factory=dict)
    _traces: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        # Floats in NumPy stay: outside of x64 JAX would round float64 to float32. Integers come as JAX has them.
        args = jax.tree.map(lambda a: a if is_float(a) or isinstance(a, int) else jnp.asarray(a), tuple(self.args))
        object.__setattr__(self, "args", args)
        for name, leaf in self._named():
            if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.complexfloating):
                raise ValueError(f"verify: {name} has dtype {leaf.dtype}; only real arguments can be verified.")
        if not self.names:
            raise ValueError("verify: args holds no array of floats, so there is no cotangent to verify.")

    def argument_names(self) -> list[str]:
        """The arguments' names, by the signature."""
        try:
            parameters = list(inspect.signature(self.unbound).parameters.values())
        except (TypeError, ValueError):  # a built-in without a signature
            parameters = []
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return (names + [f"args[{i}]" for i in range(len(names), len(self.args))])[: len(self.args)]

    def places(self) -> list[tuple[str, int]]:
        """For every leaf of the arguments its name, "kernel" or "params['conv1']['bias']", and its argument's place."""
        names, paths = self.argument_names(), jax.tree_util.tree_flatten_with_path(self.args)[0]
        return [(names[path[0].idx] + jax.tree_util.keystr(path[1:]), path[0].idx) for path, _ in paths]

    def _named(self) -> list[tuple[str, Any]]:
        return [(name, a) for (name, _), a in zip(self.places(), jax.tree.leaves(self.args), strict=True)]

    @property
    def names(self) -> list[str]:
        """The float arrays' names."""
        return [name for name, leaf in self._named() if is_float(leaf)]

    @property
    def leaves(self) -> list[Any]:
        """The float arrays as given."""
        return floats(self.args)

    def put(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with these float arrays in place of the given ones."""
        new = iter(leaves)
        return jax.tree.map(lambda a: next(new) if is_float(a) else a, self.args)

    def describe(self, leaves: Sequence[Any]) -> dict[str, str]:
        """Each argument's dtype and shape, for these float arrays."""
        new = iter(leaves)
        described = [(name, next(new) if is_float(a) else a) for name, a in self._named()]
        return {n: f"{a.dtype}{list(a.shape)}".replace(" ", "") for n, a in described if hasattr(a, "shape")}

    @property
    def reference(self) -> Callable[..., Any]:
        """The plain function, or where there is none the forward under test."""
        return self.forward if self.plain is None else self.plain

    def outputs(self, leaves: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
        """The float arrays of y, as shapes and dtypes."""
        return floats(self._traced(leaves)[1])

    def _traced(self, leaves: Sequence[Any]) -> tuple[Any, Any]:
        """The program of the reference, and y as shapes and dtypes."""
        trace = jax.make_jaxpr(lambda leaves: self.reference(*self.put(leaves)), return_shape=True)
        return self._once("reference", trace, leaves)

    def abstract(self, leaves: Sequence[Any]) -> Any:
        """y and the cotangents as shapes and dtypes, float0 as None; what is no array stays as it is."""
        return self._once("pull", functools.partial(jax.eval_shape, self.pulled), leaves)

    def pulled(self, leaves: Sequence[Any]) -> Any:
        """y and the cotangents for dy = 1, float0 as None."""
        dys = [jnp.ones(a.shape, a.dtype) for a in self.outputs(leaves)]
        return jax.tree.map(lambda a: None if _is_float0(a) else a, self.raw(leaves, dys))

    def _once(self, what: str, trace: Callable[[Any], Any], leaves: Sequence[Any]) -> Any:
        """A network takes seconds to trace, so it is traced once for each dtype and mode."""
        described = [jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)) for a in leaves]
        key = what, jax.dtypes.canonicalize_dtype(float), *((a.shape, a.dtype) for a in described)
        if key not in self._traces:
            self._traces[key] = trace(described)
        return self._traces[key]

    def constants(self) -> list[float]:
        """The first few numbers in the function's program: its kinks may lie there."""
        program, _ = self._traced(self.leaves)
        found = (c for c in reading.numbers(program.jaxpr) if 0.01 <= abs(c) <= 100)
        return list(dict.fromkeys(found))[:_MOST_CONSTANTS]

    def program(self, dtype: Any) -> Any:
        """The reference's program for arguments of this dtype."""
        with precision(dtype):
            return self._traced([jax.ShapeDtypeStruct(a.shape, jnp.dtype(dtype)) for a in self.leaves])[0]

    def digits(self, dtype: Any) -> Any:
        """The dtype whose rounding the reference has for arguments of this one: a coarser one where it casts inside."""
        return reading.coarsest(self.program(dtype).jaxpr)

    def is_handwritten(self) -> bool:
        """Whether some derivative in the reference's program is written by hand."""
        return reading.is_handwritten(self.program(np.float64).jaxpr)

    def cotangent(self, leaves: Sequence[Any], dys: Sequence[Any]) -> Any:
        """dy in y's tree from its float arrays, each in its output's dtype; an integer output's has dtype float0."""
        new = iter(dys)

        def of(a: Any) -> Any:
            return jnp.asarray(next(new), a.dtype) if is_float(a) else np.zeros(a.shape, jax.dtypes.float0)

        return jax.tree.map(of, self._traced(leaves)[1])

    def raw(self, leaves: Sequence[Any], dys: Sequence[Any]) -> tuple[Any, Any]:
        """y, and the cotangents as the backward under test returns them."""
        return self.pull(self.put(leaves), self.cotangent(leaves, dys))

    def subject(self, leaves: Sequence[Any], dys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The float arrays of y, and a cotangent for each float argument: under test. None counts as zeros."""
        y, cotangents = self.raw(leaves, dys)
        return floats(y), self.arrays(cotangents)

    def eager(self, leaves: Sequence[Any], dys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The same outside of transformations."""
        y, cotangents = (self.outside or self.pull)(self.put(leaves), self.cotangent(leaves, dys))
        return floats(y), self.arrays(cotangents)

    def oracle(self, leaves: Sequence[Any], dys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The same by JAX's derivative of the plain function; without one, those under test."""
        if self.plain is None:
            return self.subject(leaves, dys)
        plain = self.plain
        y, pull = jax.vjp(lambda leaves: plain(*self.put(leaves)), list(leaves))
        return floats(y), pull(self.cotangent(leaves, dys))[0]

    def pushed(self, leaves: Sequence[Any], v: Sequence[Any]) -> list[Any]:
        """Forward mode under test: the tangents of y's float arrays, for those of the float arguments."""
        new = iter(v)
        assert self.push is not None
        return floats(
            self.push(self.put(leaves), jax.tree.map(lambda a: next(new) if is_float(a) else None, self.args))
        )

    def along(self, leaves: Sequence[Any], v: Sequence[Any]) -> tuple[list[Any] | None, list[list[Any]]]:
        """The same by JAX's derivative of the plain function, where there is one, and y at five places along v."""

        def reference(leaves: Sequence[Any]) -> list[Any]:
            return floats(self.reference(*self.put(leaves)))

        exact = None if self.plain is None else jax.jvp(reference, (list(leaves),), (list(v),))[1]
        return exact, [reference([a + t * STEP * d for a, d in zip(leaves, v, strict=True)]) for t in range(-2, 3)]

    def arrays(self, cotangents: Any) -> list[Any]:
        """The float arrays' cotangents out of the backward's result, whose structure has been checked."""
        flat: list[Any] = []
        for arg, given in zip(self.args, cotangents, strict=True):
            leaves, tree = jax.tree.flatten(arg)
            parts = [None] * len(leaves) if given is None else tree.flatten_up_to(given)  # type: ignore[attr-defined]
            flat += [p for a, p in zip(leaves, parts, strict=True) if is_float(a)]
        return [jnp.zeros(a.shape, a.dtype) if d is None else d for a, d in zip(self.leaves, flat, strict=True)]


def floats(tree: Any) -> list[Any]:
    """The arrays of floats in a tree."""
    return [a for a in jax.tree.leaves(tree) if is_float(a)]
