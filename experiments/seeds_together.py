"""Several seeds as one program: up to what size of a network is that faster than one seed after the other?

    python experiments/seeds_together.py [--seeds 5] [--steps 40] [--repeats 7]

Takes a minute or two on 2 CPU cores. A perceptron and LeNet-5 on the digits, with images and batches of several
sizes: the milliseconds of a training step of all seeds, one after the other and vmapped (`jaxcnn.train.together`),
each the least of several interleaved samples, without compiling. Beside them the work, in multiply-adds of a step's
forward pass, by which `jaxcnn train --seeds N` decides, and by how much a parameter of the two differs after these
steps of gradient descent.
"""

import argparse
import itertools
import time
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from jaxcnn import data, models
from jaxcnn.layers import Activation, Dense, Flatten, Layer, chain
from jaxcnn.train.experiment import Experiment, experiment_of
from jaxcnn.train.feed import InMemory
from jaxcnn.train.program import Program
from jaxcnn.train.recipe import OptimizationRecipe
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.together import Orders, apart, multiply_adds, stacked

PERCEPTRON = chain(flatten=Flatten(), hidden=Dense(64), relu=Activation("relu"), head=Dense(10))
NETWORKS: dict[str, Layer] = {"perceptron": PERCEPTRON, "lenet5": models.create("lenet5", 10)}
CASES = (("perceptron", 8, 64), ("lenet5", 8, 16), ("lenet5", 8, 64), ("lenet5", 16, 32), ("lenet5", 16, 64))
RECIPE = OptimizationRecipe(optimizer="sgd", learning_rate=0.01, epochs=1000)


@dataclass(frozen=True)
class Result:
    """Milliseconds of a step of all seeds, the work of one seed's, and the largest difference of a parameter."""

    network: str
    pixels: int
    batch_size: int
    work: int
    alone: float
    together: float
    difference: float


def one_after_the_other(experiments: list[Experiment], states: list[TrainState], steps: int) -> list[TrainState]:
    """As `jaxcnn.train.epochs` does it: a step, and what it adds to the epoch's metrics."""
    ended = []
    for experiment, state in zip(experiments, states, strict=True):
        metrics = Metrics.zero()
        for batch in itertools.islice(experiment.batches(), steps):
            state, of_batch = experiment.train_step(state, *batch)
            metrics = metrics.plus(of_batch)
        jax.block_until_ready(metrics)
        ended.append(state)
    return ended


def measure(name: str, pixels: int, batch_size: int, seeds: int, steps: int, repeats: int) -> Result:
    """A network on digits of so many pixels a side."""
    recipe = replace(RECIPE, batch_size=batch_size)
    first = experiment_of(recipe, data.load("digits", image_size=pixels), NETWORKS[name])
    experiments = [first.seeded(replace(recipe, seed=seed)) for seed in range(seeds)]
    assert isinstance(first.feed, InMemory)
    all_seeds = replace(first)
    vars(all_seeds)["feed"] = first.feed.in_order(Orders([experiment.order for experiment in experiments]))
    vars(all_seeds)["train_step"] = Program(jax.vmap(first.train_step))

    starts = [experiment.initial_state() for experiment in experiments]

    def alone() -> list[TrainState]:
        return one_after_the_other(experiments, [jax.tree.map(jnp.copy, start) for start in starts], steps)

    def together() -> list[TrainState]:
        return apart(seeds, one_after_the_other([all_seeds], [stacked(starts)], steps)[0])

    pairs = [
        float(jnp.max(jnp.abs(a - b)))
        for a, b in zip(*(jax.tree.leaves([s.params for s in way()]) for way in (alone, together)), strict=True)
    ]  # which compiles, too
    times: dict[str, list[float]] = {"alone": [], "together": []}
    for _ in range(repeats):
        for way in (alone, together):
            began = time.perf_counter()
            way()
            times[way.__name__].append((time.perf_counter() - began) / steps * 1e3)
    work = multiply_adds(first)
    return Result(name, pixels, batch_size, work, min(times["alone"]), min(times["together"]), max(pairs))


def main(cases: tuple[tuple[str, int, int], ...], seeds: int, steps: int, repeats: int) -> list[Result]:
    """Measure each case, and print a table."""
    table = Table("network", "batch", "work", "ms by turns", "together", "difference")
    results = [measure(*case, seeds, steps, repeats) for case in cases]
    for r in results:
        sizes = (r.network, f"{r.batch_size} of {r.pixels}×{r.pixels}", f"{r.work:,}")
        table.add_row(*sizes, f"{r.alone:.2f}", f"{r.together:.2f}", f"{r.difference:.1e}")
    Console().print(table)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--steps", type=int, default=40, help="in each sample (default 40)")
    parser.add_argument("--repeats", type=int, default=7, help="samples (default 7)")
    args = parser.parse_args()
    main(CASES, args.seeds, args.steps, args.repeats)
