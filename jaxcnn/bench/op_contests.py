"""A contest for each operation: handwritten against autodiff, and against PyTorch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from jaxcnn.bench.contest import Contest, Entrant, Prepared
from jaxcnn.bench.measure import Run
from jaxcnn.bench.ops import Case, passes
from jaxcnn.bench.precision import Precision, dtype, within
from jaxcnn.bench.ways import Context, together, ways


def op_contest(case: Case, precisions: Sequence[Precision], peers: Sequence[str]) -> Contest:
    """Who computes this operation's passes how fast; of `peers`, PyTorch has operations of its own."""
    entrants = []
    for precision in precisions:
        entrants += [
            Entrant(by, precision, partial(_ours, case, precision, context))
            for by, context in ways(convolves=case.op == "conv").items()
        ]
        if "torch" in peers:
            entrants.append(Entrant("PyTorch", precision, partial(_torch, case, precision)))
    return Contest(
        "operation",
        case.name,
        tuple(entrants),
        lambda precision: case.work(dtype(precision).itemsize),
        "FLOP" if case.multiplies else "B",
    )


def _ours(case: Case, precision: Precision, context: Context) -> Prepared:
    calls = passes(case, *case.arrays(dtype(precision)))
    entered = together(context, within(precision))
    if jax.default_backend() == "cpu":  # where two calls would run at once; a GPU takes one after the other
        runs = {part: Run(partial(_waited, call), id, entered) for part, call in calls.items()}
    else:
        runs = {part: Run(call, jax.block_until_ready, entered) for part, call in calls.items()}
    return Prepared(runs, lambda results: [results["forward"][0], *(results[part] for part in case.parts)])


def _waited(call: Callable[[], Any]) -> Any:
    return jax.block_until_ready(call())


def _torch(case: Case, precision: Precision) -> Prepared:
    from jaxcnn.bench.peers import torch_ops

    return torch_ops.prepared(case, precision)
