"""How good is the demo's network, and how much of that is luck? The digits, trained from several seeds by each kernel.

    python experiments/digits_seeds.py [--seeds 5] [--kernels auto onednn xla] [--epochs N] [--out runs/digits_seeds]

Trains as `make demo` does: LeNet-5 on scikit-learn's 1,797 handwritten digits (1,437 to train on, 360 to test), from
seeds 0 to 4, with the convolutions computed by each of `jaxcnn.kernels.use`'s ways. Prints each test accuracy, their
mean ± sample standard deviation, and the lowest, which should be at least 0.989: 357 of the 360. Each run leaves its
run folder, OUT/auto/seed0 and so on; --overwrite replaces those that are there. The seed decides initial weights,
shuffling and augmentation; the test images are the same for all. What computes the convolutions decides the last bits
of their sums: over 1,300 steps that grows to other weights, and another verdict on a few of the hardest images.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxcnn import kernels
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run import Result
from jaxcnn.train.sweep import spread, sweep

# What `make demo` says. 8×8 digits enlarged to 24×24 leave 6×6 places after two poolings, where 16×16 leave 4×4.
RECIPE: dict[str, Any] = {
    "data": "digits",
    "model": "lenet5",
    "image_size": 24,
    "learning_rate": 0.008,
    "weight_decay": 0.1,
}
KERNELS = ("auto", "onednn", "xla")


def main(seeds: int, epochs: int, out: Path, overwrite: bool, kinds: Sequence[str] = KERNELS) -> list[float]:
    """Train from seeds 0 to `seeds` - 1 by each of the kernels (two runs at least, for a spread); the accuracies."""
    if seeds < 1 or seeds * len(kinds) < 2:
        raise SystemExit(f"--seeds is {seeds}; expected 2 or more, as one run has no spread.")
    recipe = RECIPE | {"epochs": epochs, "overwrite": overwrite}
    print(f"{recipe['model']} on {recipe['data']}, epochs: {epochs}")
    accuracies: list[float] = []
    for kind in kinds:
        configs = [TrainConfig(**recipe, seed=seed, out=out / kind / f"seed{seed}") for seed in range(seeds)]

        def told(result: Result, kind: str = kind) -> None:
            if result.evaluation is not None:
                accuracies.append(result.evaluation.accuracy)
                said = f"test accuracy {accuracies[-1]:.4f}, run folder {result.run.path}"
                print(f"{kind}, seed {result.run.config.seed}: {said}", flush=True)

        with kernels.use(kind):
            if sum(outcome.status == "finished" for outcome in sweep(configs, together="no", done=told)) < seeds:
                raise SystemExit("stopped.")
    runs = f"{len(accuracies)} runs"
    print(f"{runs}: {spread(accuracies)}, lowest {min(accuracies):.4f}")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on the digits from several seeds; print mean and spread.")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on (default 5)")
    parser.add_argument("--kernels", dest="kinds", nargs="+", default=KERNELS, choices=KERNELS, help="(default all)")
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs, help="passes over the training set")
    parser.add_argument("--out", type=Path, default=Path("runs/digits_seeds"), help="folder for the run folders")
    parser.add_argument("--overwrite", action="store_true", help="replace the runs that OUT holds")
    main(**vars(parser.parse_args()))
