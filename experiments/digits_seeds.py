"""How good is the demo's network, and how much of that is luck? The digits, trained from several seeds.

    python experiments/digits_seeds.py [--seeds 3] [--epochs N] [--out runs/digits_seeds] [--overwrite]

Takes 1 minute on 2 CPU cores. Trains `jaxcnn train`'s default, LeNet-5 on scikit-learn's 1,797 handwritten digits
(1,437 to train on, 360 to test), from seeds 0, 1, 2, and prints each test accuracy, their mean ± sample standard
deviation, and the lowest, which should be at least 0.985. Each run leaves its run folder, OUT/seed0 and so on.
The seed decides initial weights, shuffling and augmentation; the test images are the same 360 for all.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev

from jaxcnn.train.config import TrainConfig
from jaxcnn.train.loop import train


def main(seeds: int, epochs: int, out: Path, overwrite: bool) -> list[float]:
    """Train from seeds 0 to `seeds` - 1 (at least two, to have a spread); the test accuracies."""
    if seeds < 2:
        raise SystemExit(f"--seeds is {seeds}; expected 2 or more, as one run has no spread.")
    accuracies: list[float] = []
    for seed in range(seeds):
        config = TrainConfig(epochs=epochs, seed=seed, out=out / f"seed{seed}", overwrite=overwrite)
        if not accuracies:
            print(f"{config.model} on {config.data}, epochs: {config.epochs}")
        result = train(config)
        if result.evaluation is None:
            raise SystemExit(f"stopped while training from seed {seed}.")
        accuracies.append(result.evaluation.accuracy)
        print(f"seed {seed}: test accuracy {accuracies[-1]:.4f}, run folder {result.run.path}", flush=True)
    print(f"{seeds} seeds: {mean(accuracies):.4f} ± {stdev(accuracies):.4f}, lowest {min(accuracies):.4f}")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on the digits from several seeds; print mean and spread.")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on (default 3)")
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs, help="passes over the training set")
    parser.add_argument("--out", type=Path, default=Path("runs/digits_seeds"), help="folder for the run folders")
    parser.add_argument("--overwrite", action="store_true", help="replace the runs that OUT holds")
    main(**vars(parser.parse_args()))
