"""What holds for every derivative: linear in dy, the transpose of forward mode, example by example."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxcnn.verify import inputs
from jaxcnn.verify.bench import Bench, Outcome, Skip, failure
from jaxcnn.verify.problem import Arrays, floats
from jaxcnn.verify.program import Program

SCALES = (2.0**-30, 2.0**30)  # of dy: beyond what clips it, or takes it for 0
FLOAT16_SCALES = (2.0**-4, 2.0**4)  # where the function computes in float16, which has no numbers for those


def linear(bench: Bench) -> Outcome:
    """The backward of 2 dy - 3 dy' is 2 dx - 3 dx', and that of a very small or large dy as small or large."""
    outcome, others = Outcome(), inputs.dense(bench.shapes, bench.seed + 1)
    both = [2 * a - 3 * b for a, b in zip(bench.dys, others, strict=True)]
    for kind in ("given", "separated", "ties"):
        point = bench.point(kind)
        first, second, got = (bench.subject(point.leaves, dys)[1] for dys in (bench.dys, others, both))
        with np.errstate(invalid="ignore"):  # infinite slopes
            expected = [2 * a - 3 * b for a, b in zip(first, second, strict=True)]
        outcome.add(bench.compare(point, both, got, expected=expected))
    point = bench.point("given")
    first = bench.pulled(point)
    for scale in FLOAT16_SCALES if bench.digits == np.float16 else SCALES:
        scaled = [scale * dy for dy in bench.dys]
        got = bench.subject(point.leaves, scaled)[1]
        outcome.add(bench.compare(point, scaled, got, expected=[scale * a for a in first]))
    return outcome


def transpose(bench: Bench) -> Outcome:
    """⟨J v, dy⟩ = ⟨v, Jᵀ dy⟩, with J v by forward mode of the plain function, one argument moving at a time."""
    plain, problem = bench.needs_plain(), bench.problem

    def push(leaves: list[Any], v: list[Any]) -> Any:
        return jax.jvp(lambda leaves: floats(plain(*problem.put(leaves))), (leaves,), (v,))[1]

    jacobian, outcome = Program(push, np.float64), Outcome(worst=0.0)
    point = bench.point("separated")
    got = bench.pulled(point)
    try:
        jacobian(point.leaves, point.leaves)
    except TypeError:
        raise Skip("the plain function has no forward mode: there is a jax.custom_vjp in it") from None
    for k, leaf in enumerate(point.leaves):
        if k in bench.wrong_already:
            continue
        v: Arrays = [np.zeros(a.shape) for a in point.leaves]
        v[k] = np.asarray(np.random.default_rng((bench.seed, k)).standard_normal(leaf.shape))
        pushed = [a * dy for a, dy in zip(jacobian(point.leaves, v), bench.dys, strict=True)]
        pulled = v[k] * got[k]
        size = sum(np.abs(a).sum() for a in pushed) + np.abs(pulled).sum()
        left, right = sum(a.sum() for a in pushed), pulled.sum()
        worst = abs(left - right) / (bench.most(1e-11) * size) if size else 0.0
        outcome.worst = max(outcome.worst or 0.0, float(worst))
        if worst > 1:
            message = f"⟨v, dx⟩ = {right:.9g}, but ⟨Jv, dy⟩ = {left:.9g}"
            outcome.failures.append(failure(bench, "transpose", problem.names[k], message))
    return outcome


def batch(bench: Bench) -> Outcome:
    """Where examples do not see each other: the first half's dy gives what the first half alone gives."""
    n, point = batch_size(bench.shapes), bench.point("separated")
    half = n // 2
    dys = [np.concatenate([dy[:half], np.zeros_like(dy[half:])]) for dy in bench.dys]
    y, got = bench.subject(point.leaves, dys)
    for args in of_examples(bench.problem.put(point.leaves), n, half):
        alone = _alone(bench, args, [dy[:half] for dy in bench.dys], [a[:half] for a in y])
        if alone is not None:
            break
    else:
        raise Skip("an example's output depends on the rest of the batch")
    expected = [
        np.concatenate([a, np.zeros((len(g) - half, *g.shape[1:]))]) if a.shape != g.shape else a
        for a, g in zip(alone, got, strict=True)
    ]
    return bench.compare(point, dys, got, expected=expected)


def batch_size(outputs: Sequence[tuple[int, ...]]) -> int:
    """The length that the first axes of outputs of these shapes have; Skip if there is none, or it is less than 2."""
    n = outputs[0][0] if outputs and outputs[0] else 0
    if n < 2 or any(not s or s[0] != n for s in outputs):
        raise Skip("y has no batch axis of 2 or more")
    return n


def of_examples(args: Any, n: int, count: int) -> Iterator[Any]:
    """The arguments for the first `count` of n examples, as they may be meant.

    A kernel may be as high as the batch is long: then only the first array is cut.
    """
    leaves, tree = jax.tree.flatten(args)
    batched = [i for i, a in enumerate(leaves) if np.shape(a)[:1] == (n,)]
    for cut in (batched, batched[:1]):
        yield jax.tree.unflatten(tree, [a[:count] if i in cut else a for i, a in enumerate(leaves)])


def _alone(bench: Bench, args: Any, dys: Arrays, expected: Arrays) -> Arrays | None:
    """The cotangents for these examples alone; None where y is not what it was among the others."""
    part = replace(bench.problem, args=args)
    try:
        y, cotangents = Program(part.subject, np.float64, compiled=bench.traceable)(part.leaves, dys)
    except (TypeError, ValueError):
        return None
    most = bench.most(1e-9)
    near = [
        a.shape == b.shape and np.allclose(a, b, rtol=most, atol=most * inputs.typical(b))
        for a, b in zip(y, expected, strict=True)
    ]
    return cotangents if all(near) else None
