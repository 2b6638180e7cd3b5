"""`jaxcnn data`: what a dataset is, before it is trained on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from rich.table import Table

    from jaxcnn.data.survey import Item, Survey

NAMED = 20  # duplicates and unreadable pictures that are named, each on a line
MEMBERS = 10  # of those that are all the same, on one line


def _unset(metavar: str, default: str) -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class DataOptions:
    """Look at a dataset: classes, parts, sizes, unreadable pictures, duplicates.
    $ jaxcnn data photos --split 0.8/0.1/0.1
    """

    data: tyro.conf.Positional[str]
    """digits, a folder or a table of pictures, or a TFDS name, as jaxcnn train takes it."""
    split: Annotated[str | None, _unset("SHARES", "every fifth picture of each class is for testing")] = None
    """Cut a dataset that comes in one piece: 0.8/0.1/0.1 to train on, to choose by and to test on, or 0.8/0.2."""
    seed: int = 0
    """Draws the pictures of each part, if there is a split."""
    image_size: Annotated[int | None, _unset("PIXELS", "their own sizes")] = None
    """Take mean and deviation, and draw, when the pictures are resized to this many pixels a side."""
    data_dir: Annotated[Path | None, _unset("PATH", "TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    skip_bad: bool = False
    """Do not mind pictures that can't be read."""
    picture: Annotated[Path | None, _unset("PATH", "none")] = None
    """Draw training pictures of every class into this PNG."""


def run(options: DataOptions) -> int:
    """Print what there is; returns 0, or 1 where pictures can't be read and are not to be left out."""
    from jaxcnn.cli.console import Console
    from jaxcnn.data import lookup
    from jaxcnn.data.survey import survey

    if options.picture is not None and not options.picture.resolve().parent.is_dir():
        raise ValueError(f"--picture is {options.picture}, but {options.picture.resolve().parent} is no folder.")
    found = lookup.find(
        options.data,
        data_dir=options.data_dir,
        image_size=options.image_size,
        split=options.split,
        seed=options.seed,
        stream="auto",
    )
    seen = survey(found, image_size=options.image_size)
    console = Console(soft_wrap=True)
    console.print(f"{seen.name}: {seen.layout}")
    Console().print_table(_table(seen))
    for what, text in _lines(seen, options.image_size):
        console.print(f"{what:<10} {text}")
    if options.picture is not None and seen.mean is not None:
        _draw(seen, options.picture, options.image_size)
        console.print(f"{'picture':<10} {options.picture}")
    return 1 if seen.unreadable and not options.skip_bad else 0


def _table(seen: "Survey") -> "Table":
    from rich.table import Table

    from jaxcnn.data.split import PARTS

    table = Table("class")
    for heading in (*(PARTS[part] for part in seen.counts), "all"):
        table.add_column(heading, justify="right")
    for label, name in enumerate(seen.classes):
        of_class = [int(counts[label]) for counts in seen.counts.values()]
        table.add_row(name, *(f"{count:,}" for count in (*of_class, sum(of_class))))
    table.add_section()
    totals = [int(counts.sum()) for counts in seen.counts.values()]
    table.add_row("all", *(f"{total:,}" for total in (*totals, sum(totals))))
    return table


def _lines(seen: "Survey", image_size: int | None) -> Iterator[tuple[str, str]]:
    """What is printed below the table: headings, and what stands beside each."""
    if seen.left_out:
        yield from _listed("left out", seen.left_out, "files or folders, which are no pictures of a class")
    total = len(seen.unreadable) + len(seen.items)
    yield from _listed("unreadable", seen.unreadable, f"of {total:,} pictures, not counted here")
    if seen.items:
        yield "sizes", _sizes(seen, image_size)
        yield "modes", _modes(seen)
        yield from _duplicates(seen)
        yield "imbalance", _imbalance(seen)
    if seen.mean is not None and seen.std is not None:
        yield "mean", f"{_numbers(seen.mean)} of the training pictures' channels, from 0 to 1"
        yield "deviation", _numbers(seen.std)


def _listed(what: str, names: list[str], kind: str) -> Iterator[tuple[str, str]]:
    """How many there are, and each on a line of its own."""
    yield what, f"{len(names):,} {kind}" if names else "none"
    yield from (("", name) for name in names[:NAMED])
    if len(names) > NAMED:
        yield "", f"and {len(names) - NAMED:,} more"


def _sizes(seen: "Survey", image_size: int | None) -> str:
    sizes = [f"{height} × {width}" for height, width in sorted(seen.sizes, key=lambda size: size[0] * size[1])]
    if len(sizes) == 1:
        text = f"all {sizes[0]} (height × width)"
    else:
        (height, width), times = seen.sizes.most_common(1)[0]
        text = (
            f"{len(sizes)} different, from {sizes[0]} to {sizes[-1]} (height × width), "
            f"most often {height} × {width} ({times:,})"
        )
    if image_size and set(seen.sizes) != {(image_size, image_size)}:
        return f"{text}; read as {image_size} × {image_size}"
    return text if len(sizes) == 1 else f"{text}; to train on them, give --image-size"


def _modes(seen: "Survey") -> str:
    modes = ", ".join(f"{mode}: {count:,}" for mode, count in seen.modes.most_common())
    deep = sum(count for mode, count in seen.modes.items() if mode.startswith("I"))
    remarks = {
        "with 16 bits, scaled to 8": deep,
        "with transparency, laid over white": seen.transparent,
        "with an ICC profile, which is not applied": seen.profiled,
        "turned upright as their EXIF says": seen.turned,
        "animated or of several pages, of which the first is taken": seen.animated,
    }
    return "; ".join([modes, *(f"{count:,} {what}" for what, count in remarks.items() if count)])


def _duplicates(seen: "Survey") -> Iterator[tuple[str, str]]:
    """Pictures with the same pixels, those in two parts and those in two classes first, since they do harm."""

    def harm(group: "list[Item]") -> tuple[bool, bool]:
        return len({item.part for item in group}) > 1, len({item.label for item in group}) > 1

    spare = sum(len(group) - 1 for group in seen.duplicates)
    groups = sorted(seen.duplicates, key=harm, reverse=True)
    across, contradicting = (sum(harm(group)[i] for group in groups) for i in (0, 1))
    text = f"{spare:,} with the same pixels as another; in two parts {across:,}, in two classes {contradicting:,}"
    lines = [_equal(seen, group) for group in groups]
    yield "duplicates", text if groups else "none, by their pixels"
    yield from (("", line) for line in lines[: max(NAMED, across)])  # all that are in two parts
    if len(lines) > max(NAMED, across):
        yield "", f"and {len(lines) - max(NAMED, across):,} more"


def _equal(seen: "Survey", group: "list[Item]") -> str:
    """The pictures of a group; of a large one the first of each part and class, and some more."""
    from jaxcnn.data.split import PARTS

    if len(group) > MEMBERS:
        first = {(item.part, item.label): item for item in reversed(group)}
        group = [*first.values(), *(item for item in group if item is not first[item.part, item.label])]
    names = [f"{item.name} ({PARTS[item.part]}, {seen.classes[item.label]})" for item in group[:MEMBERS]]
    more = f" and {len(group) - MEMBERS:,} more" if len(group) > MEMBERS else ""
    return " = ".join(names) + more


def _imbalance(seen: "Survey") -> str:
    training = seen.counts["train"]
    most, least = int(training.argmax()), int(training.argmin())
    if training[most] == training[least]:
        return f"none, each class has {training[most]:,} training pictures"
    text = f"{seen.classes[most]} has {training[most]:,} training pictures, {seen.classes[least]} {training[least]:,}"
    return f"{text}: {training[most] / training[least]:.2f} times as many" if training[least] else text


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _draw(seen: "Survey", path: Path, image_size: int | None) -> None:
    from jaxcnn.report import grid, style

    images, names = seen.samples(grid.ROWS * grid.COLUMNS, image_size)
    words = [(grid.short(name), style.INK) for name in names]
    grid.save(images, words, path, title=f"{seen.name}: {len(images)} training pictures")
