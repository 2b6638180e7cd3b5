"""What do kernels in 8 bits cost? Test accuracy of networks trained on Fashion-MNIST, before and after.

    python -m experiments.int8_weights [--models lenet5 resnet20 mobilenet_v2] [--seeds 3] [--epochs 3] [--data-dir DIR]

Trains each network from several seeds, and puts an int8 for each weight of its kernels and one scale for each output
channel in the place of float32 (`layers.quantise`); once as it was trained, once with batch norm folded into the
kernels first (`layers.fold_batch_norm`), as `jaxcnn export --fold --int8` does. Printed is the accuracy on the 10,000
test images, how many of them get another class than in float32, and the size of the weights. Nothing is trained again
after rounding, and no data are looked at for it. Claim: within 0.2 points of float32. Each run leaves a folder in OUT.
Source: Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference", table 2.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from jaxcnn.interop import safetensors
from jaxcnn.layers import dequantise, fold_batch_norm, quantise
from jaxcnn.train.evaluate import evaluate, examples_of
from jaxcnn.train.loop import train
from jaxcnn.train.model import Model
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.sweep import spread

MODELS = ("lenet5", "resnet20", "mobilenet_v2")
RECIPE: dict[str, Any] = {"data": "fashion_mnist", "image_size": 32, "learning_rate": 0.005, "augment": "shift"}


@dataclass(frozen=True)
class Kept:
    """A network with its kernels kept in some way: accuracy, test images whose class differs, bytes of its weights."""

    accuracy: float
    others: int
    size: int


def ways(model: Model) -> Iterator[tuple[str, Model, Any]]:
    """The network with its kernels kept in each way, and its weights as they would lie in a file."""
    folded = model.network, model.params, model.state
    for name in ("float32", "int8", "folded, int8"):
        if name.startswith("folded"):
            folded = fold_batch_norm(*folded)
        network, params, state = folded
        kept = params if name == "float32" else quantise(network, params)
        yield name, replace(model, network=network, params=dequantise(kept), state=state), (kept, state)


def compared(model: Model, images: Any, labels: np.ndarray) -> dict[str, Kept]:
    """What is right in each way."""
    found: dict[str, Kept] = {}
    for name, kept, weights in ways(model):
        evaluation = evaluate(kept, images, labels)
        said = evaluation.probabilities.argmax(1)
        first = said if not found else first
        found[name] = Kept(evaluation.accuracy, int((said != first).sum()), len(safetensors.dump(weights)))
    return found


def main(models: Sequence[str], seeds: int, epochs: int, out: Path, **options: Any) -> dict[str, list[dict[str, Kept]]]:
    """Train each of the networks from seeds 0 to `seeds` - 1, and compare; printed as a table."""
    if seeds < 1:
        raise SystemExit(f"--seeds is {seeds}; expected 1 or more.")
    table = Table("network", "kernels", "test accuracy", "points less", "other class", "weights")
    found: dict[str, list[dict[str, Kept]]] = {}
    for name in models:
        found[name] = []
        for seed in range(seeds):
            config = TrainConfig(
                **RECIPE | options, model=name, epochs=epochs, seed=seed, out=out / name / f"seed{seed}"
            )
            result = train(config)
            if result.evaluation is None:
                raise SystemExit("stopped.")
            model = load_model(result.run.path, "last")
            found[name].append(compared(model, *examples_of(model, result.experiment.dataset)))
            print(f"{name}, seed {seed}: {found[name][-1]}", flush=True)
            jax.clear_caches()
        for way, kept in found[name][0].items():
            runs = [run[way] for run in found[name]]
            less = [100 * (run["float32"].accuracy - run[way].accuracy) for run in found[name]]
            cells = (
                f"{np.mean(less):.2f}",
                f"{np.mean([run.others for run in runs]):.0f}",
                f"{kept.size / 1e3:.0f} kB",
            )
            table.add_row(name, way, spread([run.accuracy for run in runs]), *cells)
    Console(width=120).print(table)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, help="by their names in jaxcnn.models")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on (default 3)")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the training set (default 3)")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    parser.add_argument("--out", type=Path, default=Path("runs/int8_weights"), help="folder for the run folders")
    parser.add_argument("--overwrite", action="store_true", help="replace the runs that OUT holds")
    main(**vars(parser.parse_args()))
