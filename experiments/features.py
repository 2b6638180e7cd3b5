"""What a network sees: filters and feature maps of a first, a middle and a last layer, and how far each one looks.

    python experiments/features.py [--data cifar10] [--epochs 3] [--steps N] [--data-dir DIR] [--out runs/features]

Takes 2 minutes on 2 CPU cores, nearly all of it to train the network: five convolutions on CIFAR-10 for three
epochs. Printed are its test accuracy and each layer's receptive field. OUT/features.png shows for three layers the
receptive field of one value drawn on a test picture (the most active value of the first map beside it); the maps of
six features that are active on it and unlike each other; and under each map the nine patches, of 2,000 test pictures,
at which the feature is strongest: edges and colours first, textures and parts then, things at last. The filters are
under the picture, those of the first layer in the colours that they look for.
Sources: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks"; Araujo, Norris & Sim 2019,
"Computing receptive fields of convolutional neural networks", equations 2 and 3.
"""

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxcnn import data
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, GlobalAvgPool, Layer, MaxPool, chain
from jaxcnn.layers.combine import Chain
from jaxcnn.report import style
from jaxcnn.train.experiment import Experiment, experiment_of
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.state import TrainState

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = {"relu1": "first layer", "relu3": "middle layer", "relu5": "last layer"}
FEATURES, PATCHES, LOOKED_AT = 6, 9, 2000


def network(classes: int, widths: tuple[int, int, int] = (32, 48, 64)) -> Chain:
    """Five convolutions, the first with a window large enough to look at."""
    layers: dict[str, Layer] = {}
    for i, width in enumerate((widths[0], widths[1], widths[1], widths[2], widths[2]), 1):
        layers |= {f"conv{i}": Conv(width, 5 if i == 1 else 3, use_bias=False)}
        layers |= {f"bn{i}": BatchNorm(), f"relu{i}": Activation("relu")}
        layers |= {f"pool{i}": MaxPool(2)} if i in (1, 3) else {}
    return chain(**layers, pool=GlobalAvgPool(), head=Dense(classes))


def until(model: Chain, name: str) -> Chain:
    """The network up to the layer called `name`."""
    names = [part for part, _ in model.parts]
    return Chain(model.parts[: names.index(name) + 1])


@dataclass(frozen=True)
class Field:
    """The receptive field along an axis: the value at place i depends on pixels i · jump + start, `size` in a row."""

    size: int
    jump: int
    start: int

    def pixels(self, place: int, length: int) -> tuple[int, int]:
        """The first pixel and the one behind the last, of an axis of `length`."""
        first = place * self.jump + self.start
        return max(first, 0), min(first + self.size, length)


def receptive_field(model: Chain) -> Field:
    """Of a value of the network's output.

    A window of k with stride s and p zeros before it makes size + (k - 1) jump of size, start - p jump of start,
    and s jump of jump.
    """
    field = Field(1, 1, 0)
    for _, layer in model.parts:
        if isinstance(layer, Conv):  # "SAME" with an odd window
            window, stride, before = layer.size, layer.stride, (layer.size - 1) // 2
        elif isinstance(layer, MaxPool):
            window, stride, before = layer.size, layer.stride or layer.size, 0
        else:
            continue
        start = field.start - before * field.jump
        field = Field(field.size + (window - 1) * field.jump, field.jump * stride, start)
    return field


def trained(config: TrainConfig, dataset: data.Dataset, steps: int | None) -> tuple[Experiment, TrainState]:
    """The network after training, at most `steps` steps."""
    experiment = experiment_of(config, dataset, network(len(dataset.classes)))
    train = experiment.initial_state()
    for batch in itertools.islice(experiment.batches(), steps):
        train, _ = experiment.train_step(train, *batch)
    return experiment, train


def strongest(maps: np.ndarray, feature: int, count: int) -> list[tuple[int, int, int]]:
    """(image, row, column) of the `count` images whose maps (n, h, w, c) have the largest values of a feature."""
    of = maps[..., feature].reshape(len(maps), -1)
    best = np.argsort(-of.max(1), kind="stable")[:count]
    return [(int(i), *map(int, np.unravel_index(of[i].argmax(), maps.shape[1:3]))) for i in best]


def various(maps: np.ndarray, activity: np.ndarray, count: int) -> list[int]:
    """The most active feature of maps (h, w, c), then, of the more active half, always the least like those taken."""
    candidates = list(np.argsort(-activity, kind="stable")[: max(count, len(activity) // 2)])
    vectors = maps.reshape(-1, maps.shape[-1]) - maps.mean((0, 1))
    vectors = vectors / (np.linalg.norm(vectors, axis=0) + 1e-6)
    alike = abs(vectors.T @ vectors)
    taken = [int(candidates.pop(0))]
    while len(taken) < count:
        nearest = [alike[taken, feature].max() for feature in candidates]
        taken.append(int(candidates.pop(int(np.argmin(nearest)))))
    return taken


def patch(image: np.ndarray, field: Field, row: int, column: int) -> np.ndarray:
    """What the value at (row, column) sees of an image (h, w, c): size × size, light gray (224) beyond the border."""
    (top, bottom), (left, right) = field.pixels(row, len(image)), field.pixels(column, image.shape[1])
    made = np.full((field.size, field.size, image.shape[-1]), 224, image.dtype)
    y, x = top - (row * field.jump + field.start), left - (column * field.jump + field.start)
    made[y : y + bottom - top, x : x + right - left] = image[top:bottom, left:right]
    return made


def mosaic(tiles: np.ndarray, columns: int, background: float) -> np.ndarray:
    """Tiles (n, h, w, c) in rows of `columns`, a pixel apart."""
    n, h, w, c = tiles.shape
    rows = -(-n // columns)
    made = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1, c), background, tiles.dtype)
    for i, tile in enumerate(tiles):
        y, x = i // columns * (h + 1), i % columns * (w + 1)
        made[y : y + h, x : x + w] = tile
    return made


def filters(kernel: np.ndarray) -> np.ndarray:
    """Kernels (h, w, cin, cout) as tiles of -1 to 1: whole if they see pixels, else of the first 8 × 8 channels."""
    if kernel.shape[2] in (1, 3):
        tiles = np.moveaxis(kernel, -1, 0)
    else:
        tiles = np.moveaxis(kernel[:, :, :8, :8].reshape(*kernel.shape[:2], 1, -1), -1, 0)
    return tiles / abs(tiles).max((1, 2, 3), keepdims=True)


def main(config: TrainConfig, steps: int | None, picture: int, out: Path) -> Experiment:
    """Train, print and draw."""
    dataset = data.load(config.data, data_dir=config.data_dir)
    experiment, train = trained(config, dataset, steps)
    print(f"test accuracy {experiment.evaluate(train).accuracy:.4f}")
    for name, of in SHOWN.items():
        field = receptive_field(until(experiment.model, name))
        print(f"{of}: a value sees {field.size}×{field.size} pixels, its neighbour the same {field.jump} further")
    draw(experiment, train, picture, out)
    print(f"picture {out / 'features.png'}")
    return experiment


def draw(experiment: Experiment, train: TrainState, picture: int, out: Path) -> None:
    """The figure: two rows for each layer."""
    dataset = experiment.dataset
    images = dataset.test_images[:LOOKED_AT]
    image = dataset.test_images[picture]
    title = f"What five convolutions learned of {dataset.name}"
    figure = style.figure(9, 9.2, title)
    grid = figure.subplots(6, 1 + FEATURES)
    for (name, of), (above, below) in zip(SHOWN.items(), grid.reshape(3, 2, -1), strict=True):
        part = until(experiment.model, name)
        apply = jax.jit(lambda x, part=part: part.apply(train.params, train.state, experiment.normalise(x))[0])
        maps = np.concatenate([apply(images[i : i + 250]) for i in range(0, len(images), 250)])
        here, field = np.asarray(apply(image[None]))[0], receptive_field(part)
        active = various(here, here.mean((0, 1)) / (maps.mean((0, 1, 2)) + 1e-6), FEATURES)
        row, column = np.unravel_index(here[..., active[0]].argmax(), here.shape[:2])
        show(above[0], image, f"{of}\nsees {field.size}×{field.size} pixels")
        outline(above[0], field, int(row), int(column), image.shape)
        kernel = filters(np.asarray(train.params[name.replace("relu", "conv")]["kernel"]))
        show(below[0], np.uint8(np.rint(127.5 + 127.5 * mosaic(kernel, 8, 1.0))), "its filters")
        for top, bottom, feature in zip(above[1:], below[1:], active, strict=True):
            show(top, here[..., feature], f"feature {feature}", cmap="magma")
            top.plot(
                *np.unravel_index(here[..., feature].argmax(), here.shape[:2])[::-1], "o", color="none", mec="w", ms=7
            )
            patches = [patch(images[i], field, r, c) for i, r, c in strongest(maps, feature, PATCHES)]
            show(bottom, mosaic(np.stack(patches), 3, 255), "strongest at")
    out.mkdir(parents=True, exist_ok=True)
    style.save(figure, out / "features.png")


def show(axes: "Axes", pixels: np.ndarray, title: str, **options: Any) -> None:
    """Pixels (h, w), (h, w, 1) or (h, w, 3) without ticks."""
    gray = {} if options else {"cmap": "gray", "vmin": 0, "vmax": 255}
    axes.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, interpolation="nearest", **options, **gray)
    axes.set_title(title, fontsize=7, color=style.INK)
    axes.set_axis_off()


def outline(axes: "Axes", field: Field, row: int, column: int, shape: tuple[int, ...]) -> None:
    """The receptive field of the value at (row, column)."""
    from matplotlib.patches import Rectangle

    (top, bottom), (left, right) = field.pixels(row, shape[0]), field.pixels(column, shape[1])
    frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, color=style.SECOND, linewidth=2)
    axes.add_patch(frame)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="cifar10", help="any dataset of images of 16×16 pixels or more")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the training set")
    parser.add_argument("--steps", type=int, help="stop after this many, for a quick look")
    parser.add_argument("--picture", type=int, default=0, help="which test image is shown")
    parser.add_argument("--out", type=Path, default=Path("runs/features"), help="folder for the picture")
    args = parser.parse_args()
    chosen = TrainConfig(
        data=args.data,
        data_dir=args.data_dir,
        epochs=args.epochs,
        batch_size=128,
        augment="flip-shift",
        label_smoothing=0,
    )
    main(chosen, args.steps, args.picture, args.out)
