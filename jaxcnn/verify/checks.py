"""The checks: each takes a `Bench` and returns an `Outcome`, or raises `Skip` with the reason."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify import inputs, rounding
from jaxcnn.verify.bench import Bench, Checker, Outcome, Skip, Wrong, compared, failure, rounded
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.oracles import Differences
from jaxcnn.verify.problem import Arrays, Program, floats
from jaxcnn.verify.structure import DTYPES, structure, takes


def forward(bench: Bench) -> Outcome:
    """The forward under test returns what the plain function does."""
    _needs_plain(bench)
    outcome = Outcome()
    for point in bench.points:
        y, right = bench.subject(point.leaves, bench.dys)[0], bench.exactly(point, bench.dys)[0]
        most = [1e-12 * (np.abs(a) + inputs.typical(a)) for a in right]
        outcome.add(compared([f"y[{i}]" for i in range(len(y))], point, bench.dys, y, right, most))
    if outcome.wrong:
        message = "the forward does not return what the plain function returns"
        return Outcome(failures=[failure(bench, "forward", "", message, outcome.wrong[0].point)], worst=outcome.worst)
    return outcome


def autodiff(bench: Bench) -> Outcome:
    """Every cotangent equals JAX's derivative of the plain function, in float64, on every input and dy."""
    _needs_plain(bench)
    outcome = Outcome()
    for point in bench.points:
        many = inputs.one_hots(bench.shapes, bench.seed) if point.kind in ("given", "separated") else []
        for dys in [bench.dys, *many]:
            outcome.add(bench.compare(point, dys, bench.subject(point.leaves, dys)[1]))
    bench.wrong_already |= {w.argument for w in outcome.wrong}
    return outcome


def differences(bench: Bench) -> Outcome:
    """Every cotangent equals central differences in float64, where no kink lies within the step."""
    slopes, outcome, left_out, seen = Differences(bench.problem, bench.seed), Outcome(), 0, 0
    for kind in ("given", "separated"):
        point = bench.point(kind)
        expected, bars, decided = slopes(point.leaves, bench.dys)
        got = [np.where(d, g, e) for g, e, d in zip(_pulled(bench, point), expected, decided, strict=True)]
        allowed = [2 * b + 1e-8 * inputs.typical(e) for b, e in zip(bars, expected, strict=True)]
        outcome.add(compared(bench.problem.names, point, bench.dys, got, expected, allowed))
        seen += sum(int(d.sum()) for d in decided)
        left_out += sum(int((~d).sum()) for d in decided)
    if left_out:
        outcome.note = f"{seen} entries; {left_out} left out: beyond the sample, or a kink within the step"
    if not seen and any(a.size for a in bench.point("given").leaves):
        raise Skip("a kink lies within the step of every entry")
    bench.wrong_already |= {w.argument for w in outcome.wrong}
    return outcome


def zero(bench: Bench) -> Outcome:
    """dy = 0 gives cotangents that are exactly 0."""
    outcome, dys = Outcome(), [np.zeros(s) for s in bench.shapes]
    for point in bench.points:
        y, got = bench.subject(point.leaves, dys)
        if all(np.all(np.isfinite(a)) for a in y):
            nothing = [np.zeros(a.shape) for a in got]
            outcome.add(compared(bench.problem.names, point, dys, got, nothing, nothing))
    return outcome


def linear(bench: Bench) -> Outcome:
    """The backward of 2 dy - 3 dy' is 2 dx - 3 dx'."""
    outcome, others = Outcome(), inputs.dense(bench.shapes, bench.seed + 1)
    both = [2 * a - 3 * b for a, b in zip(bench.dys, others, strict=True)]
    for kind in ("given", "separated", "ties"):
        point = bench.point(kind)
        first, second, got = (bench.subject(point.leaves, dys)[1] for dys in (bench.dys, others, both))
        expected = [2 * a - 3 * b for a, b in zip(first, second, strict=True)]
        outcome.add(bench.compare(point, both, got, expected=expected))
    return outcome


def finite(bench: Bench) -> Outcome:
    """Finite inputs give finite cotangents, wherever y and the right cotangent are finite."""
    outcome = Outcome()
    for point in bench.points:
        y, got = bench.subject(point.leaves, bench.dys)
        right = got if bench.problem.plain is None else bench.exactly(point, bench.dys)[1]
        if not all(np.isfinite(a).all() for a in y):
            continue
        for k, (g, e) in enumerate(zip(got, right, strict=True)):
            bad = ~np.isfinite(g) & (np.isfinite(e) | (bench.problem.plain is None))
            if bad.any():
                outcome.wrong.append(
                    Wrong(k, bench.problem.names[k], point, bench.dys, got, right, np.where(bad, np.inf, 0))
                )
    return outcome


def transpose(bench: Bench) -> Outcome:
    """⟨Jv, dy⟩ = ⟨v, Jᵀdy⟩, with Jv by forward mode of the plain function, one argument moving at a time."""
    plain, problem = _needs_plain(bench), bench.problem

    def push(leaves: list[Any], v: list[Any]) -> Any:
        return jax.jvp(lambda leaves: floats(plain(*problem.put(leaves))), (leaves,), (v,))[1]

    jacobian, outcome = Program(push, np.float64), Outcome(worst=0.0)
    point = bench.point("separated")
    got = _pulled(bench, point)
    for k, leaf in enumerate(point.leaves):
        if k in bench.wrong_already:
            continue
        v: Arrays = [np.zeros(a.shape) for a in point.leaves]
        v[k] = np.asarray(np.random.default_rng((bench.seed, k)).standard_normal(leaf.shape))
        pushed = [a * dy for a, dy in zip(jacobian(point.leaves, v), bench.dys, strict=True)]
        pulled = v[k] * got[k]
        size = sum(np.abs(a).sum() for a in pushed) + np.abs(pulled).sum()
        left, right = sum(a.sum() for a in pushed), pulled.sum()
        worst = abs(left - right) / (1e-11 * size) if size else 0.0
        outcome.worst = max(outcome.worst or 0.0, float(worst))
        if worst > 1:
            message = f"⟨v, dx⟩ = {right:.9g}, but ⟨Jv, dy⟩ = {left:.9g}"
            outcome.failures.append(failure(bench, "transpose", problem.names[k], message))
    return outcome


def batch(bench: Bench) -> Outcome:
    """Where examples do not see each other: the first half's dy gives what the first half alone gives."""
    n = bench.shapes[0][0] if bench.shapes and bench.shapes[0] else 0
    if n < 2 or any(not s or s[0] != n for s in bench.shapes):
        raise Skip("y has no batch axis of 2 or more")
    half, point = n // 2, bench.point("separated")
    dys = [np.concatenate([dy[:half], np.zeros_like(dy[half:])]) for dy in bench.dys]
    y, got = bench.subject(point.leaves, dys)
    leaves, tree = jax.tree.flatten(bench.problem.put(point.leaves))
    batched = [i for i, a in enumerate(leaves) if np.shape(a)[:1] == (n,)]
    # A kernel may be as high as the batch is long: then only the first array is cut.
    for cut in (batched, batched[:1]):
        halves = [a[:half] if i in cut else a for i, a in enumerate(leaves)]
        alone = _alone(bench, jax.tree.unflatten(tree, halves), [dy[:half] for dy in bench.dys], [a[:half] for a in y])
        if alone is not None:
            break
    else:
        raise Skip("an example's output depends on the rest of the batch")
    expected = [
        np.concatenate([a, np.zeros((len(g) - half, *g.shape[1:]))]) if a.shape != g.shape else a
        for a, g in zip(alone, got, strict=True)
    ]
    return bench.compare(point, dys, got, expected=expected)


def _alone(bench: Bench, args: Any, dys: Arrays, expected: Arrays) -> Arrays | None:
    """The cotangents for these examples alone; None where y is not what it was among the others."""
    part = replace(bench.problem, args=args)
    try:
        y, cotangents = Program(part.subject, np.float64, compiled=bench.traceable)(part.leaves, dys)
    except (TypeError, ValueError):
        return None
    near = [
        a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9 * inputs.typical(b))
        for a, b in zip(y, expected, strict=True)
    ]
    return cotangents if all(near) else None


def jit(bench: Bench) -> Outcome:
    """The backward gives the same under `jax.jit` and without."""
    if not bench.traceable:
        message = "the backward looks at values, so that it can't run under jax.jit; use jnp.where and lax.cond"
        return Outcome(failures=[failure(bench, "jit", "", message)])
    point, dys, dtype = _as_given(bench)
    eager = Program(bench.problem.subject, None, compiled=False)
    with_jit, without = (run(bench.given_dtypes(point.leaves), dys)[1] for run in (bench.as_given, eager))
    return bench.compare(point, dys, with_jit, dtype=dtype, expected=without)


def repeat(bench: Bench) -> Outcome:
    """Two runs give the same bits."""
    point, dys, _ = _as_given(bench)
    first, second = (bench.as_given(bench.given_dtypes(point.leaves), dys)[1] for _ in range(2))
    same = [np.zeros(a.shape) for a in first]
    return compared(bench.problem.names, point, dys, second, first, same)


def vmap(bench: Bench) -> Outcome:
    """`jax.vmap` of the backward gives what a loop gives."""
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    points = [bench.point("given"), bench.point("separated")]
    stacked = [np.stack(pair) for pair in zip(*(p.leaves for p in points), strict=True)]
    dys = [np.stack([dy, dy]) for dy in bench.dys]
    together = Program(jax.vmap(lambda *a: bench.problem.subject(*a)[1]), np.float64)(stacked, dys)
    outcome = Outcome()
    for i, point in enumerate(points):
        outcome.add(bench.compare(point, bench.dys, [a[i] for a in together], expected=_pulled(bench, point)))
    return outcome


def _budget(bench: Bench, name: str) -> Outcome:
    dtype, outcome = DTYPES[name], Outcome(worst=0.0)
    if not takes(bench.problem, dtype):
        raise Skip(f"the function does not take {name}")
    program = bench.program(dtype)
    for kind in ("given", "separated", "ties", "large", "tiny"):
        point, dys = rounded(bench.point(kind), bench.dys, dtype)
        y, got = program(point.leaves, dys)
        if not all(np.all(np.isfinite(a)) for a in y):
            continue  # the forward left the dtype's range
        expected = None
        if not _near(y, bench.exactly(point, dys)[0], dtype):
            # Another function: dropout draws its mask in the precision it runs in, where JAX's derivative decides.
            expected = Program(bench.problem.oracle, dtype)(point.leaves, dys)[1]
            outcome.note = f"the forward is another in {name}: compared with autodiff in {name}"
        found = bench.compare(point, dys, got, dtype=dtype, expected=expected)
        found.wrong = [w for w in found.wrong if w.argument not in bench.wrong_already]
        outcome.add(found)
    return outcome


def _near(y: Arrays, exact: Arrays, dtype: Any) -> bool:
    """Whether y is what it is in float64, but for rounding."""
    most = 64 * float(jnp.finfo(dtype).eps)  # type: ignore[no-untyped-call]
    return all(np.all(np.abs(a - e) <= most * (np.abs(e) + inputs.typical(e))) for a, e in zip(y, exact, strict=True))


def float32(bench: Bench) -> Outcome:
    """In float32 every cotangent is within the rounding of float32 of the one in float64."""
    return _budget(bench, "float32")


def bfloat16(bench: Bench) -> Outcome:
    """In bfloat16 every cotangent is within the rounding of bfloat16 of the one in float64."""
    return _budget(bench, "bfloat16")


def second_order(bench: Bench) -> Outcome:
    """Reverse over reverse: the cotangents of (dy, args) -> cotangents equal those of JAX's own derivative."""
    _needs_plain(bench)
    if bench.wrong_already:
        raise Skip("the first derivative is wrong already")
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    problem, point = bench.problem, bench.point("separated")
    n = len(point.leaves)

    def twice(first: Any) -> Program:
        def pulled(both: list[Any], ddx: list[Any]) -> Any:
            return jax.vjp(lambda both: first(both[:n], both[n:])[1], both)[1](ddx)[0]

        return Program(pulled, np.float64)

    both = Point("separated", [*point.leaves, *bench.dys])
    ddx = inputs.dense([a.shape for a in point.leaves], bench.seed + 2)
    try:
        exact = twice(problem.oracle)
        expected = exact(both.leaves, ddx)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise Skip(f"JAX can't differentiate the plain function twice: {type(error).__name__}") from None
    got = twice(problem.subject)(both.leaves, ddx)
    terms, jumps = rounding.terms(exact, both.leaves, ddx, expected)
    allowed = rounding.allowed(np.float64, expected, terms, jumps, both.leaves, ddx, _pulled(bench, point))
    names = [*problem.names, *(f"dy[{i}]" for i in range(len(bench.dys)))]
    return compared(names, both, ddx, got, expected, allowed)


def _pulled(bench: Bench, point: Point) -> Arrays:
    """The cotangents under test in float64 for the random dy."""
    return bench.subject(point.leaves, bench.dys)[1]


def _as_given(bench: Bench) -> tuple[Point, Arrays, Any]:
    """The separated input as the given dtypes hold it, dy likewise, and the coarsest of these dtypes."""
    dtypes = [a.dtype for a in bench.given_dtypes(bench.problem.leaves)]
    coarsest = max(dtypes, key=lambda d: float(jnp.finfo(d).eps))  # type: ignore[no-untyped-call]
    point, dys = rounded(bench.point("separated"), bench.dys, coarsest)
    return point, dys, coarsest


def _needs_plain(bench: Bench) -> Any:
    if bench.problem.plain is None:
        raise Skip("no reference was given")
    return bench.problem.plain


# In this order: what the first find, the later ones need not say again.
QUICK: dict[str, Checker] = {
    "structure": structure,
    "forward": forward,
    "autodiff": autodiff,
    "zero": zero,
    "finite": finite,
}
FULL: dict[str, Checker] = QUICK | {
    "differences": differences,
    "linear": linear,
    "transpose": transpose,
    "batch": batch,
    "jit": jit,
    "repeat": repeat,
    "vmap": vmap,
    "float32": float32,
    "bfloat16": bfloat16,
    "second order": second_order,
}
