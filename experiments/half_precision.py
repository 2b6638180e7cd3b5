"""What is lost by training in half precision? Fashion-MNIST from several seeds, in each of `--precision`'s ways.

    python -m experiments.half_precision [--precisions float32 bfloat16 mixed] [--seeds 3] [--epochs 3] [--data-dir DIR]

The network is that of `fashion_mnist.py` with half its widths: five convolutions with batch norm. From one seed all
start with the same weights and see the same images in the same order. Printed are the test accuracies of each
precision, their mean ± sample standard deviation, and by how many points the mean lies above float32's. Expected: half
precision within 0.2 points.
Source: Micikevicius et al. 2018, "Mixed precision training".
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import get_args

from rich.console import Console
from rich.table import Table

from experiments import fashion_mnist
from jaxcnn import data
from jaxcnn.train.fit import fit
from jaxcnn.train.precision import Precision
from jaxcnn.train.recipe import OptimizationRecipe

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "mixed")


def main(
    precisions: Sequence[Precision] = PRECISIONS,
    seeds: int = 3,
    epochs: int = 3,
    data_dir: Path | None = None,
    widths: tuple[int, int, int] = (16, 32, 64),
) -> dict[Precision, list[float]]:
    """Train from seeds 0 to `seeds` - 1 (at least two, to have a spread) in each precision; the accuracies."""
    if seeds < 2:
        raise SystemExit(f"--seeds is {seeds}; expected 2 or more, as one run has no spread.")
    dataset = data.load("fashion_mnist", data_dir=data_dir)
    network = fashion_mnist.network(fashion_mnist.Config(epochs, widths=widths), len(dataset.classes))
    accuracies: dict[Precision, list[float]] = {precision: [] for precision in precisions}
    for seed in range(seeds):
        for precision in precisions:
            recipe = OptimizationRecipe(
                epochs=epochs, batch_size=256, augment="none", precision=precision, seed=seed, weight_decay=0.01
            )
            accuracies[precision].append(fit(network, dataset, recipe).evaluation.accuracy)
            print(f"seed {seed}, {precision}: test accuracy {accuracies[precision][-1]:.4f}", flush=True)
    table = Table("precision", *(f"seed {seed}" for seed in range(seeds)), "mean", f"points above {precisions[0]}")
    base = mean(accuracies[precisions[0]])
    for precision, of in accuracies.items():
        above = f"{100 * (mean(of) - base):+.2f}"
        table.add_row(precision, *(f"{a:.4f}" for a in of), f"{mean(of):.4f} ± {stdev(of):.4f}", above)
    Console(width=100).print(table)
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=get_args(Precision))
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on (default 3)")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the training set (default 3)")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    main(**vars(parser.parse_args()))
