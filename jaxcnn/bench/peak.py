"""What this machine can do at best: the peaks that a row's share is taken of."""

import importlib.util
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn import ops
from jaxcnn.bench.measure import Run, first, interleaved
from jaxcnn.bench.precision import Precision, dtype, within

REPEATS = 7


def peaks(precisions: tuple[Precision, ...], size: int | None = None) -> dict[str, float]:
    """FLOP/s of a large matrix product by precision, and bytes per second of a copy of such a matrix ("memory").

    The product is made by XLA, as a 1×1 convolution by jaxcnn and, where it is installed, by PyTorch; the fastest
    counts. `size` is the matrices' side.
    """
    size = size or (2048 if jax.default_backend() == "cpu" else 8192)
    found = {}
    for precision in precisions:
        runs = _products(size, precision)
        timings = interleaved(runs, [first(run)[0] for run in runs], REPEATS)
        found[precision] = 2 * size**3 / min(t.median for t in timings)
    return found | {"memory": _copy(size**2)}


def _products(size: int, precision: Precision) -> list[Run]:
    """Of numbers at random: a GPU slows its clock down by the bits that change."""
    a, b = (jax.random.normal(jax.random.key(seed), (size, size), dtype(precision)) for seed in (0, 1))
    pixels, kernel = a.reshape(1, size, 1, size), b.reshape(1, 1, size, size)

    def run(function: Any, *arrays: Any) -> Run:
        return Run(partial(jax.jit(function), *arrays), jax.block_until_ready, within(precision))

    runs = [run(jnp.matmul, a, b), run(ops.conv, pixels, kernel)]
    if importlib.util.find_spec("torch"):
        from jaxcnn.bench.peers import torch_ops

        runs.append(torch_ops.product(size, precision))
    return runs


def _copy(values: int) -> float:
    x = jnp.zeros(values, jnp.float32)
    compiled = jax.jit(lambda x: x + 1)

    def call() -> Any:  # of the last one's result, so that no two run at once
        nonlocal x
        x = compiled(x)
        return x

    run = Run(call, jax.block_until_ready)
    (timing,) = interleaved([run], [first(run)[0]], REPEATS)
    return 8 * values / timing.median  # each of 4 bytes is read and written
