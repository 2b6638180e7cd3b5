"""What this machine can do at best: the peaks that a row's share is taken of."""

import importlib.util
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn import ops
from jaxcnn.bench.measure import Run, calls_of, first, sample
from jaxcnn.bench.precision import Precision, dtype, within

TRIAL = 8  # times smaller are the matrices by which one who is hopelessly slow is found out
HOPELESS = 20.0  # times as long as the fastest
COPIED = 2**26  # values that are copied to see how fast memory is: 256 MB, more than caches hold


def peaks(precisions: tuple[Precision, ...], size: int | None = None, samples: int = 7) -> dict[str, float]:
    """FLOP/s of a large matrix product by precision, and bytes per second read and written ("memory").

    The product is made by XLA, as a 1×1 convolution by jaxcnn and, where it is installed, by PyTorch; the fastest
    counts. Who is hopeless at small ones is not asked: PyTorch takes minutes in bfloat16 on a CPU that does not
    multiply it. `size` is the matrices' side. A peak is what the fastest sample reached, and all are taken in turn: so
    those of each lie apart, and a busy moment of the machine hides no peak.
    """
    size = size or (2048 if jax.default_backend() == "cpu" else 8192)
    products = [(precision, run) for precision in precisions for run in _hopeful(size, precision)]
    *taken, copied = _fastest([*(run for _, run in products), _copy()], samples)
    found: dict[str, float] = {}
    for (precision, _), seconds in zip(products, taken, strict=True):
        found[precision] = max(found.get(precision, 0.0), 2 * size**3 / seconds)
    return found | {"memory": 8 * COPIED / copied}  # each of 4 bytes is read and written


def _fastest(runs: Sequence[Run], samples: int) -> list[float]:
    """Seconds that a call took in the fastest sample of each."""
    for run in runs:
        first(run)  # which compiles
    calls = [calls_of(run) for run in runs]
    turns = [[sample(run, n)[0] for run, n in zip(runs, calls, strict=True)] for _ in range(samples)]
    return [min(seconds) for seconds in zip(*turns, strict=True)]


def _hopeful(size: int, precision: Precision) -> list[Run]:
    small = [min(first(run)[0] for _ in range(2)) for run in _products(max(size // TRIAL, 1), precision)]
    every = zip(_products(size, precision), small, strict=True)
    return [run for run, seconds in every if seconds < HOPELESS * min(small)]


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


def _copy() -> Run:
    """Of an array into its own place: a new one would have to be brought by the system, page by page."""
    x = jnp.zeros(COPIED, jnp.float32)
    compiled = jax.jit(lambda x: x + 1, donate_argnums=0)

    def call() -> Any:
        nonlocal x
        x = compiled(x)
        return x

    return Run(call, jax.block_until_ready)
