"""`jaxcnn predict`: what a trained network says of pictures."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxcnn.cli.streams import in_one_line, print_line, visible
from jaxcnn.train.recipe.option import unset

if TYPE_CHECKING:
    from jaxcnn.train.predict import Predicted

WIDEST = 32  # characters of a class in the table; a longer one moves what stands behind it
Method = Literal["gradcam", "gradcam++", "guided", "deconvnet", "saliency", "integrated", "smoothgrad", "occlusion"]
Named = tuple[str, list[tuple[str, float]]]  # a picture, and its classes with their probabilities, the largest first


@dataclass(frozen=True)
class PredictOptions:
    """Say what is on pictures, with probabilities.
    $ jaxcnn predict runs/digits-lenet5 photos

    Exit code 1: what can't be read, or holds no picture, is named; others go on.
    """

    run: tyro.conf.Positional[Path]
    """The run folder; or a model folder, from jaxcnn import, RUN/model/last, or a copy of it."""
    pictures: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="PICTURE ...", help_behavior_hint="")]
    ]
    """Files; folders, of which the pictures in them and deeper are taken, by their endings (.jpg, .png, ...); or - for
    a list on standard input, one path a line."""
    checkpoint: Literal["last", "best"] = "last"
    """Of a run. last: after the last epoch or Ctrl-C; best: of the best epoch, by the highest accuracy or --best-by."""
    top: int = 5
    """How many classes to show of each picture, the most probable first."""
    json: bool = False
    """A line of JSON for each picture: {"picture": PATH, "predictions": [{"class": NAME, "probability": P}, ...]}. Of a
    path that is no UTF-8 there is "picture_bytes", too, in hexadecimal; "picture" has \\xff and so on in it."""
    csv: bool = False
    """CSV in UTF-8: picture, rank, class, probability. A path has its own bytes, though they be no UTF-8."""
    tta: bool = False
    """Test-time augmentation: the mean of the probabilities of a picture and of its mirror image, in twice the time."""
    explain: Annotated[Method | None, unset("METHOD", "none")] = None
    """Lay over each picture what speaks for its most probable class, into the folder --out: gradcam, gradcam++, guided
    (backpropagation), deconvnet, saliency, integrated (gradients), smoothgrad or occlusion."""
    layer: Annotated[str | None, unset("PATH", "the last before the pooling")] = None
    """The layer that gradcam and gradcam++ look at, by its path in jaxcnn summary."""
    out: Annotated[Path | None, unset("FOLDER", "explained")] = None
    """Where --explain writes: 0001-NAME.png and so on, and grid.png of the first 20; those of an earlier command are
    removed."""


def run(options: PredictOptions) -> int:
    """Print what the network says; returns 0, or 1 where a picture can't be read."""
    from jaxcnn.cli.counter import Counter
    from jaxcnn.cli.overlays import Overlays
    from jaxcnn.data.lazy import Files
    from jaxcnn.train.model_folder import load_model
    from jaxcnn.train.predict import BATCH, predict

    _check(options)
    model, failed, left_out = load_model(options.run, options.checkpoint), _Failed(), _LeftOut()
    files, total = _files(options.pictures, failed, left_out), None
    if "-" not in options.pictures:
        listed = Files(files)
        files, total = map(listed.name, range(len(listed))), len(listed)
    show = _show_json if options.json else _show_csv() if options.csv else _show_table(model.classes)
    overlays, size = None, BATCH
    if options.explain is not None:
        title = f"{options.run}, {model.card.title}: {options.explain}"
        overlays = Overlays(options.out or Path("explained"), model, options.explain, options.layer, title)
        size = overlays.BATCH
    show([])  # the heading, if there is one
    with Counter("pictures", total) as counter:

        def unreadable(file: str, reason: str) -> None:
            failed(file, reason)
            counter.add(1)

        for batch in predict(model, files, tta=options.tta, unreadable=unreadable, batch_size=size):
            show(_named(batch, model.classes, options.top))
            sys.stdout.flush()
            if overlays is not None:
                overlays.add(batch)
            counter.add(len(batch.files))
    if overlays is not None:
        overlays.finish()
    left_out.tell()
    return 1 if failed.number else 0


def _check(options: PredictOptions) -> None:
    """Raises ValueError for options that make no sense."""
    if options.top < 1:
        raise ValueError(f"--top is {options.top}; expected 1 or more.")
    if options.json and options.csv:
        raise ValueError("--json and --csv are both given; take one of them.")
    if not options.pictures:
        raise ValueError("no pictures are given; name files or folders, or - for a list on standard input.")
    if "-" in options.pictures and sys.stdin is None:
        raise ValueError("- is for a list on standard input, which is closed.")
    if options.explain is None and (options.layer is not None or options.out is not None):
        raise ValueError("--layer and --out are for --explain, which is not given.")


class _Failed:
    """Tells what can't be read, and how many there were."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, file: str, reason: str) -> None:
        self.number += 1
        print_line("error", f"{in_one_line(file)} can't be read: {reason}.")


class _LeftOut:
    """Counts the files in folders that are no pictures by their names."""

    def __init__(self) -> None:
        self._number, self._first = 0, Path()

    def __call__(self, path: Path) -> None:
        if self._number == 0:
            self._first = path
        self._number += 1

    def tell(self) -> None:
        if self._number:
            files = "1 file," if self._number == 1 else f"{self._number:,} files, such as"
            print_line(
                "warning",
                f"left out {files} {in_one_line(str(self._first))}, for want of a picture's ending, such as .jpg; what "
                "is named itself is tried whatever its ending.",
            )


def _files(arguments: Iterable[str], failed: _Failed, left_out: _LeftOut) -> Iterator[str]:
    """The pictures that the arguments name, as they name them."""
    for argument in arguments:
        if argument != "-":
            yield from _named_by(argument, failed, left_out)
            continue
        empty = True
        for line in _lines():
            empty = False
            yield from _named_by(line, failed, left_out)
        if empty:
            failed("-", "there are no paths on standard input")


def _named_by(name: str, failed: _Failed, left_out: _LeftOut) -> Iterator[str]:
    """The file itself, or the pictures in a folder."""
    from jaxcnn.data.folder import pictures_within

    def no_folder(folder: Path, error: OSError) -> None:
        failed(str(folder), error.strerror or str(error))

    if not os.path.isdir(name):
        yield name
        return
    empty = True
    for path in pictures_within(Path(name), no_folder, left_out):
        empty = False
        yield str(path)
    if empty:
        failed(name, "there are no pictures in it, by the endings of its files")


def _lines() -> Iterator[str]:
    """Of standard input, without the empty ones; a path is bytes, and need not be text of the console's encoding."""
    for line in sys.stdin.buffer:
        if name := os.fsdecode(line.rstrip(b"\r\n")):
            yield name


def _named(batch: "Predicted", classes: tuple[str, ...], top: int) -> list[Named]:
    """Of equally probable classes the first comes first."""
    named = []
    for file, p in zip(batch.files, batch.probabilities, strict=True):
        named.append((file, [(classes[i], float(p[i])) for i in (-p).argsort(kind="stable")[:top]]))
    return named


def _show_json(named: list[Named]) -> None:
    """In ASCII, which every console and program reads alike."""
    for file, found in named:
        predictions = [{"class": name, "probability": float(f"{p:.6g}")} for name, p in found]
        path = os.fsencode(file)
        picture = {"picture": path.decode("utf-8", "backslashreplace")}
        if os.fsencode(picture["picture"]) != path:  # which JSON has no strings for
            picture["picture_bytes"] = path.hex()
        print(json.dumps(picture | {"predictions": predictions}))


def _show_csv() -> Callable[[list[Named]], None]:
    rows: list[tuple[object, ...]] = [("picture", "rank", "class", "probability")]

    def show(named: list[Named]) -> None:
        for file, found in named:
            rows.extend((file, rank, name, f"{p:.6g}") for rank, (name, p) in enumerate(found, 1))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        rows.clear()
        written = visible(text.getvalue()) if sys.stdout.isatty() else text.getvalue()
        sys.stdout.flush()
        sys.stdout.buffer.write(written.encode("utf-8", "surrogateescape"))  # file names are bytes, and stay the same

    return show


def _show_table(classes: tuple[str, ...]) -> Callable[[list[Named]], None]:
    """Lines that need no look ahead: what can be of any length stands at their end."""
    from rich.cells import cell_len

    width = min(WIDEST, max(cell_len(in_one_line(name)) for name in ("class", *classes)))
    rows = [("class", "probability", "picture")]

    def show(named: list[Named]) -> None:
        for file, found in named:
            pictures = [in_one_line(file)] + [""] * len(found)
            rows.extend((in_one_line(name), f"{p:.4f}", of) for (name, p), of in zip(found, pictures, strict=False))
        for name, p, of in rows:
            print(f"{name}{' ' * (width - cell_len(name))}  {p:>11}  {of}".rstrip())
        rows.clear()

    return show
