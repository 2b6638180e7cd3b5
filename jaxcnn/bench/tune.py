"""Measures the table by which a CPU's convolutions are given to kernels (`jaxcnn.kernels.table`)."""

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcnn.kernels import direct, grouped, matmul, onednn, winograd, xla
from jaxcnn.kernels.table import KERNELS, Row, Shape, Table

MOST = 3e9  # products of a convolution that is measured
MOST_BY_XLA = 3e7  # of one that XLA is measured at, which takes up to a hundred times as long for large ones
SAMPLE = 0.002  # seconds that a sample lasts at least
REPEATS = 2  # samples, of which the shortest counts: what else runs can only add to it
LONG = 0.01  # seconds that a call takes of which two will do
HOPELESS = 6.0  # times as long as the fastest: single calls will do
CLOSE = 1.5  # times as long as the fastest: the second turn is of those
COMPILING = 0.6  # of the time goes into compiling
COMPILED = {"xla", "matmul", "onednn bfloat16"}  # by XLA in part
HANDLERS = set(KERNELS) - COMPILED

# Taps along an axis, stride, channels in and out, and images with y's side. Times are told apart by the pixels in all.
# Time is short: for most that lies between, its neighbours choose nearly as well (experiments/LOG.md).
ONE, FEW, SOME, MANY = (1, 1), (1, 4), (1, 14), (16, 14)
SQUARES = [(16, 16), (64, 64), (128, 128), (256, 256), (512, 512)]
WHOLE = [
    (1, 1, [(16, 16), (64, 64), (256, 256), (64, 256), (256, 64), (512, 1024)], [ONE, FEW, SOME, (16, 28)]),
    (3, 1, [(3, 32), *SQUARES, (64, 256)], [(1, 2), FEW, (1, 8), SOME, (16, 8), (16, 16), (16, 28)]),
    (1, 2, [(32, 64), (128, 256), (512, 1024)], [FEW, MANY]),
    (3, 2, [(3, 32), (16, 32), (64, 128), (256, 512)], [FEW, SOME, MANY]),
    (5, 1, [(1, 8), (6, 16), (64, 64)], [(1, 8), (16, 8), (16, 28)]),
    (7, 2, [(3, 64)], [(1, 112), (4, 112)]),
]
GROUPS = [  # the same with the number of groups
    *((3, 1, (c, c), c, size) for c in (32, 512) for size in (ONE, FEW, SOME, MANY, (16, 56))),
    *((3, 2, (c, c), c, size) for c in (64, 512) for size in (FEW, MANY)),
    *((7, 1, (c, c), c, size) for c in (96, 384) for size in ((1, 7), (16, 7), (4, 28))),
    *((3, 1, (c, c), 4, size) for c in (64, 256) for size in ((1, 14), (16, 14))),
]


def problems() -> list[tuple[int, tuple[int, ...], xla.Options, tuple[int, int], int]]:
    """Images, the kernel's shape, options, x's sizes and channels."""
    whole = ((taps, stride, pair, 1, size) for taps, stride, pairs, sizes in WHOLE for pair in pairs for size in sizes)
    made: list[tuple[int, tuple[int, ...], xla.Options, tuple[int, int], int]] = []
    for taps, stride, (inputs, outputs), groups, (images, side) in (*whole, *GROUPS):
        kernel = (taps, taps, inputs // groups, outputs)
        if images * side**2 * math.prod(kernel) <= MOST:
            low = (taps - 1) // 2
            options = xla.Options((stride, stride), ((low, taps - 1 - low),) * 2, (1, 1), groups)
            made.append((images, kernel, options, (side * stride, side * stride), inputs))
    return made


@dataclass(frozen=True)
class Task:
    """A map of a problem: the shapes of its operands, and what else it takes."""

    name: str
    options: xla.Options
    a: tuple[int, ...]
    b: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...] = ()

    @property
    def call(self) -> onednn.Call:
        """As the handler is told."""
        return onednn.Call.of(self.name, self.options, *self.operands(), *self.sizes)

    @property
    def shape(self) -> Shape:
        """What the table goes by."""
        return Shape.of(self.call, self.a, self.b)

    def operands(self, dtype: Any = jnp.float32) -> Any:
        """Their shapes, in this dtype."""
        return [jax.ShapeDtypeStruct(one, dtype) for one in (self.a, self.b)]

    def work(self) -> dict[str, float]:
        """The products that each kernel makes which can do it."""
        products = self.shape.products
        able = {"xla": products} if products <= MOST_BY_XLA else {}
        if onednn.serves(self.name, self.options, *self.operands(), *self.sizes):
            able["onednn"] = products
        if direct.serves(self.name, self.options, *self.operands(), *self.sizes):
            able["direct"] = products
        if matmul.serves(self.name, self.options, *self.operands(), *self.sizes):
            able["matmul"] = products
        if winograd.FLOAT32.serves(self.name, self.options, *self.operands(), *self.sizes):
            able["winograd"] = winograd.FLOAT32.work(self.call, self.a, self.b)
        narrow = self.options._replace(preferred_element_type=jnp.float32)
        if onednn.serves(self.name, narrow, *self.operands(jnp.bfloat16), *self.sizes):
            able["onednn bfloat16"] = products
            if "winograd" in able:
                able["winograd bfloat16"] = winograd.BFLOAT16.work(self.call, self.a, self.b)
        return able

    @property
    def times(self) -> int:
        """How often a program computes it: a call of JAX alone takes longer than a small convolution."""
        return max(1, min(16, round(3e7 / self.shape.products)))

    def programs(self) -> dict[str, Callable[[Array, Array], Array]]:
        """For each kernel one that computes with it so many times, each after the last as in a network.

        Those in which nothing is left for XLA to compile share one that it does not optimize, and so is done sooner.
        """

        def repeated(a: Array, b: Array, by: str) -> Array:
            def once(_: Any, a: Array) -> Array:
                whole = lax.optimization_barrier(self.compute(a, b, by))  # else XLA computes of its own what [0] needs
                return lax.dynamic_update_slice(a, whole[:1, :1, :1, :1], (0, 0, 0, 0))

            return lax.fori_loop(0, self.times, once, a)

        made: dict[str, Callable[[Array, Array], Array]] = {}
        for level, some in (("3", COMPILED), ("0", HANDLERS)):
            ways = {by: partial(repeated, by=by) for by in self.work() if by in some}
            if ways:
                lowered = jax.jit(partial(_switch, list(ways.values()))).lower(np.int32(0), *self.operands())
                program = lowered.compile({"xla_backend_optimization_level": level})
                made |= {by: partial(program, np.int32(i)) for i, by in enumerate(ways)}
        return made

    def compute(self, a: Array, b: Array, by: str) -> Array:
        """By this kernel; float32 in and out."""
        modules: dict[str, Any] = {
            "xla": xla if self.options.groups == 1 else grouped,
            "direct": direct,
            "matmul": matmul,
            "winograd": winograd.FLOAT32,
            "winograd bfloat16": winograd.BFLOAT16,
        }
        if by == "onednn bfloat16":
            a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
        options = self.options._replace(preferred_element_type=jnp.float32)
        result: Array = getattr(modules.get(by, onednn), self.name)(a, b, *self.sizes, options)
        return result


def _switch(ways: list[Callable[[Array, Array], Array]], which: Array, a: Array, b: Array) -> Array:
    """By one of them."""
    made: Array = lax.switch(which, ways, a, b)
    return made


def tasks() -> list[Task]:
    """All that is measured."""
    made = []
    for images, kernel, options, sizes, inputs in problems():
        x, y = (images, *sizes, inputs), (images, *options.out(sizes, kernel[:2]), kernel[-1])
        made += [
            Task("fprop", options, x, kernel),
            Task("dgrad", options, y, kernel, (sizes,)),
            Task("wgrad", options, x, y, (kernel[:2],)),
        ]
    return made


def measure(done: Callable[[float], object] = lambda share: None) -> Table:
    """The table; `done` hears the share that is done.

    What is close to the fastest is measured in two turns, far apart: a machine is busy for a while at a time.
    """
    every = tasks()
    programs = _compiled(every, lambda share: done(COMPILING * share))
    most = max(math.prod(shape) for task in every for shape in (task.a, task.b))
    noise = np.random.default_rng(0).standard_normal(most, np.float32)
    best: list[dict[str, float]] = [{} for _ in every]
    for turn in range(2):
        for count, (task, ways, times) in enumerate(zip(every, programs, best, strict=True), 1):
            within = CLOSE * min(times.values(), default=math.inf)
            close = {by: way for by, way in ways.items() if times.get(by, 0.0) <= within}
            if len(close) > 1 or not times:
                a, b = (jnp.asarray(noise[: math.prod(shape)].reshape(shape)) for shape in (task.a, task.b))
                found = seconds([partial(way, a, b) for way in close.values()])
                times |= {by: min(time, times.get(by, math.inf)) for by, time in zip(close, found, strict=True)}
            done(COMPILING + (1 - COMPILING) * (turn + count / len(every)) / 2)
    rows = []
    for task, times in zip(every, best, strict=True):
        work = {by: task.times * products for by, products in task.work().items()}
        rows.append(Row(task.shape, {by: float(f"{time / work[by]:.3g}") for by, time in times.items()}))
    return Table(tuple(rows), "measured")


def _compiled(every: list[Task], done: Callable[[float], object]) -> list[dict[str, Callable[[Array, Array], Array]]]:
    """Each task's programs, compiled on all cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    made = []
    try:
        for programs in pool.map(Task.programs, every):
            made.append(programs)
            done(len(made) / len(every))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C waits for none but those that are being compiled
    return made


def choices(table: Table) -> list[str]:
    """What it chooses for each of the tasks, in float32."""
    float32 = ("onednn", "direct", "matmul", "winograd", "xla")
    works = [{by: work for by, work in task.work().items() if by in float32} for task in tasks()]
    return [table.fastest(task.shape, work) for task, work in zip(tasks(), works, strict=True)]


def seconds(calls: list[Callable[[], Array]]) -> list[float]:
    """The shortest of each call's samples, which are taken in turn; the first call, to which data are new, is none."""
    for call in calls:
        jax.block_until_ready(call())
    best = [min(_sample(call, 1) for _ in range(2)) for call in calls]
    for _ in range(REPEATS):
        for i, call in enumerate(calls):
            if best[i] < min(LONG, HOPELESS * min(best)):
                best[i] = min(best[i], _sample(call, math.ceil(SAMPLE / best[i])))
    return best


def _sample(call: Callable[[], Array], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        jax.block_until_ready(call())
    return (time.perf_counter() - started) / times
