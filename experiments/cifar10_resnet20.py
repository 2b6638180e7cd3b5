"""ResNet-20 on CIFAR-10, as published, and to the same accuracy in less time.

    python experiments/cifar10_resnet20.py [--config onecycle] [--seeds 1] [--steps N] [--data-dir DIR]
                                           [--out runs/cifar10_resnet20] [--resume] [--precision bfloat16]

He, Zhang, Ren & Sun 2015, "Deep residual learning for image recognition", section 4.2, reach 91.25 % (table 6). Their
recipe is the config `paper`: 64,000 steps of 128 images, the rate 0.1 divided by 10 after 32,000 and 48,000, momentum
0.9, weight decay 1e-4, images padded by 4 pixels, cropped at random and mirrored. It differs from theirs in that it
trains on all 50,000 images rather than 45,000, pads with black rather than the mean, decays kernels only, and widens
by 1×1 convolutions (option B). `onecycle` makes 17,550 steps, the rate rising and falling once, with more
weight decay: Smith & Topin 2018, "Super-convergence". Either multiplies in bfloat16 unless told otherwise. Expected of
`onecycle`: 0.9169 (seed 0), in 49 minutes on 2 cores of an AMD EPYC with AVX512_BF16. `paper` was not run to its end.

Each seed leaves its run folder, OUT/CONFIG-PRECISION-seed0 and so on, with curves and checkpoints; `--resume` goes on
with runs that were stopped. Printed are test accuracies after the last epoch, never the best of all, and seconds.
"""

import argparse
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from jaxcnn.ops.precision import Precision
from jaxcnn.train.experiment import prepare
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.state import Metrics
from jaxcnn.train.sweep import spread
from jaxcnn.train.watch import Watcher

PAPER = TrainConfig(
    data="cifar10",
    model="resnet20",
    epochs=164,  # of 390 steps
    batch_size=128,
    optimizer="momentum",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="step",
    label_smoothing=0.0,
    augment="flip-shift",
)
CONFIGS = {
    "paper": PAPER,
    "onecycle": replace(
        PAPER, epochs=45, optimizer="nesterov", learning_rate=0.2, weight_decay=5e-4, schedule="onecycle"
    ),
}


class Progress(Watcher):
    """A line for each epoch; the run stopped, as by Ctrl-C, after `steps` steps."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps

    def step_done(self, step: int, metrics: Metrics) -> None:
        if step == self.steps:
            signal.raise_signal(signal.SIGINT)

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        print(
            f"epoch {record['epoch']}: training loss {record['train_loss']:.4f}, "
            f"test accuracy {record['eval_accuracy']:.4f}, {record['seconds']:.1f} s",
            flush=True,
        )


def main(
    config: TrainConfig,
    name: str,
    seeds: int,
    steps: int | None,
    out: Path,
    resume: bool = False,
    precision: Precision = "bfloat16",
) -> list[float]:
    """Train from seeds 0 to `seeds` - 1; the test accuracies."""
    accuracies: list[float] = []
    first = prepare(config, config.load())
    for seed in range(seeds):
        began = time.perf_counter()
        folder = out / f"{name}-{precision}-seed{seed}"
        own = replace(config, seed=seed, out=folder, resume=resume)
        with jax.default_matmul_precision(precision):
            result = train(own, Progress(steps), experiment=first.seeded(own))
            accuracies.append((result.evaluation or result.experiment.evaluate(result.state)).accuracy)
        print(
            f"seed {seed}: test accuracy {accuracies[-1]:.4f} after {int(result.state.step)} steps, "
            f"{time.perf_counter() - began:.0f} s, run folder {folder}",
            flush=True,
        )
    if seeds > 1:
        print(f"{seeds} seeds: {spread(accuracies)}, lowest {min(accuracies):.4f}")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS, default="onecycle", help="which recipe (default onecycle)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0 on (default 1)")
    parser.add_argument("--steps", type=int, help="stop each run after this many, for a quick look")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar10_resnet20"), help="folder for the run folders")
    parser.add_argument("--resume", action="store_true", help="go on with runs that were stopped")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of multiplications")
    args = parser.parse_args()
    chosen = replace(CONFIGS[args.config], data_dir=args.data_dir)
    main(chosen, args.config, args.seeds, args.steps, args.out, args.resume, args.precision)
