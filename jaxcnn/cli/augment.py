"""`jaxcnn augment`: what an augmentation makes of a dataset's images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    import numpy as np

    from jaxcnn.data import Dataset

ROWS, DRAWS = 6, 7


@dataclass(frozen=True)
class AugmentOptions:
    """Draw training images, and what an augmentation makes of each, several times.
    $ jaxcnn augment --augment 'crop(4,reflect),flip,mixup(0.2)'
    """

    augment: str
    """none, or augmentations by name, such as "crop(4,reflect),flip,cutout(8),mixup(0.2)"."""
    data: str = "digits"
    """digits, a TFDS name such as fashion_mnist or cifar10, or a folder of images."""
    data_dir: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: TFDS_DATA_DIR, or TFDS's own)")
    ] = None
    """Where TFDS datasets lie."""
    image_size: Annotated[
        int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="(default: the dataset's own size)")
    ] = None
    """Resize images to this many pixels a side."""
    seed: int = 0
    """Decides the images and the draws."""
    picture: Path = Path("augment.png")
    """The PNG to draw."""


def run(options: AugmentOptions) -> int:
    """Draw the picture; returns 0. Raises ValueError for a wrong augmentation, dataset, seed or folder."""
    import jax
    import numpy as np

    from jaxcnn.cli.console import Console
    from jaxcnn.data import augment, load
    from jaxcnn.report import augmented

    try:
        augmentation = augment.parse(options.augment)
    except ValueError as error:
        raise ValueError(f"--{error}") from None
    if not 0 <= options.seed < 2**32:
        raise ValueError(f"--seed is {options.seed}; expected 0 to 4294967295.")
    if not options.picture.resolve().parent.is_dir():
        raise ValueError(
            f"--picture is {options.picture}, but its folder {options.picture.resolve().parent} is missing."
        )
    dataset = load(options.data, data_dir=options.data_dir, image_size=options.image_size, stream="auto")
    chosen = _of_different_classes(dataset, options.seed)
    images, labels = dataset.train_images[chosen], dataset.train_labels[chosen]
    targets = np.eye(len(dataset.classes), dtype=np.float32)[labels]
    columns = [(images, targets)]
    for key in jax.random.split(jax.random.key(options.seed), DRAWS):
        drawn, mixed = augmentation(key, images, targets)
        columns.append((np.asarray(drawn), np.asarray(mixed)))
    captions = [[_caption(dataset, part[row]) for _, part in columns] for row in range(len(images))]
    pixels = np.stack([part for part, _ in columns], 1)
    augmented.save(pixels, captions, options.picture, title=f"{augmentation} on {dataset.name}")
    say = Console(soft_wrap=True).print
    say(f"augment {augmentation}")
    say(f"picture {options.picture}")
    return 0


def _of_different_classes(dataset: "Dataset", seed: int) -> "np.ndarray":
    """Indices of a few training images: one of each class, until there are enough, or none is left."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(dataset.train_labels))
    labels = dataset.train_labels[order]
    rank = np.empty(len(order), int)  # how many of its class stand before an image
    for label in np.unique(labels):
        of_class = labels == label
        rank[of_class] = np.arange(of_class.sum())
    return order[np.argsort(rank, kind="stable")[:ROWS]]


def _caption(dataset: "Dataset", probabilities: "np.ndarray") -> str:
    """The classes that are in the target, with their shares where there are several."""
    classes = probabilities.argsort()[::-1][:2]
    names = [dataset.classes[i] if len(dataset.classes[i]) <= 16 else dataset.classes[i][:15] + "…" for i in classes]
    if probabilities[classes[0]] > 0.995:
        return names[0]
    return "\n".join(f"{name} {probabilities[i]:.2f}" for name, i in zip(names, classes, strict=True))
