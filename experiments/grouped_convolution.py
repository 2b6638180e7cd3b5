"""Convolution in groups on a CPU: XLA's own against the formulations of `jaxcnn.kernels.grouped`.

    python experiments/grouped_convolution.py [--repeats 5]

For each shape and each of the three linear maps (forward, input gradient, kernel gradient) both are compiled, then run
in turn; printed are the medians in milliseconds with the quartiles, and the ratio of the medians. Transposed
convolution runs the same maps in other roles: its forward is dx here, its input gradient the forward.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxcnn.kernels import grouped, xla

# n, h, w, channels in, channels out, window, stride, groups
SHAPES = {
    "depthwise 3×3": (64, 32, 32, 128, 128, 3, 1, 128),
    "depthwise 3×3, stride 2": (64, 32, 32, 128, 128, 3, 2, 128),
    "depthwise 5×5": (64, 16, 16, 128, 128, 5, 1, 128),
    "depthwise 3×3, twice as many out": (64, 16, 16, 64, 128, 3, 1, 64),
    "4 groups 3×3": (64, 16, 16, 128, 128, 3, 1, 4),
    "32 groups 3×3": (64, 16, 16, 128, 128, 3, 1, 32),
}


def maps(shape: tuple[int, ...]) -> dict[str, tuple[Callable[[Any], Any], list[Any]]]:
    """For each linear map: what computes it, given a module of kernels, and its arguments."""
    n, h, w, cin, cout, window, stride, groups = shape
    half = (window - 1) // 2
    options = xla.Options((stride, stride), ((half, half), (half, half)), dilation=(1, 1), groups=groups)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, h, w, cin), np.float32)
    kernel = rng.standard_normal((window, window, cin // groups, cout), np.float32)
    dy = rng.standard_normal(xla.fprop(x, kernel, options).shape, np.float32)
    return {
        "forward": (lambda module: lambda x, kernel: module.fprop(x, kernel, options), [x, kernel]),
        "dx": (lambda module: lambda dy, kernel: module.dgrad(dy, kernel, (h, w), options), [dy, kernel]),
        "dkernel": (lambda module: lambda x, dy: module.wgrad(x, dy, (window, window), options), [x, dy]),
    }


def interleaved(runs: list[Callable[[], Any]], repeats: int) -> list[np.ndarray[Any, Any]]:
    """Milliseconds of each run, taken in turn so that a busy moment hits all of them alike."""
    taken: list[list[float]] = [[] for _ in runs]
    for repeat in range(repeats + 1):
        for times, run in zip(taken, runs, strict=True):
            started = time.perf_counter()
            jax.block_until_ready(run())
            if repeat:  # the first compiles
                times.append(1e3 * (time.perf_counter() - started))
    return [np.array(times) for times in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    table = Table("shape", "map", "XLA ms", "grouped ms", "XLA / grouped")
    for name, shape in SHAPES.items():
        for of, (build, args) in maps(shape).items():
            arrays = jax.device_put(args)
            compiled = [jax.jit(build(module)) for module in (xla, grouped)]
            both = interleaved([lambda f=f, arrays=arrays: f(*arrays) for f in compiled], repeats)
            medians = [np.median(times) for times in both]
            cells = [f"{np.median(t):.1f} ({np.quantile(t, 0.25):.1f}-{np.quantile(t, 0.75):.1f})" for t in both]
            table.add_row(name, of, *cells, f"{medians[0] / medians[1]:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
