"""A trained network on disk, apart from the run's checkpoints and data.

A model folder, RUN/model/best or RUN/model/last, holds

    model.json            the network, its classes, its preprocessing, and the hashes of all files (a `Card`)
    weights.safetensors   params/... and state/..., and ema/params/..., ema/state/... where an average is kept
    network.py            the user's own file, where the network is built by one

It can be copied to wherever it is needed. A new one is written beside it and takes its place by renaming; what a killed
process leaves is the new one, the old one, or the old one called best.old, which is read while there is no other.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn import models
from jaxcnn.interop import safetensors
from jaxcnn.models.custom import Source
from jaxcnn.train import records
from jaxcnn.train.checkpoint import Damaged, remove
from jaxcnn.train.model import Card, CheckpointName, Model

_CARD, _WEIGHTS, _SOURCE = "model.json", "weights.safetensors", "network.py"
# What an earlier version's card lacks, and meant.
_ADDED = {"crop": 1.0, "resample": "bilinear", "temperature": 1.0, "imported": {}}


def load_model(path: str | os.PathLike[str], checkpoint: CheckpointName = "last") -> Model:
    """The network that a run trained, without the data that it was trained on.

    Weights and words are read, and nothing is unpickled; but a network of the user's own is a file of Python in the
    folder, which is run: load such a folder only if you trust where it comes from.

    Args:
      path: a run folder, or a model folder (RUN/model/best, or a copy of it).
      checkpoint: of a run folder, last (after the last epoch or Ctrl-C, as the commands take it), or best (of the best
        epoch, by the highest accuracy on validation or else test images, or by --best-by).

    Raises: FileNotFoundError if there is no such model, ValueError if a file of it is damaged (`Damaged`) or its
      weights do not fit the network; each names the file and says what to do.
    """
    path = Path(path).expanduser()
    if checkpoint not in ("best", "last"):
        raise ValueError(f"load_model: checkpoint is {checkpoint!r}; expected best or last.")
    alone = _is_alone(path)
    try:
        return read(path if alone else path / "model" / checkpoint)
    except (FileNotFoundError, Damaged) as error:
        if alone:
            raise type(error)(
                f"{error}; copy the folder again from the run that it comes from, or import it again."
            ) from error
        if not (path / "model").is_dir() and not (path / "config.json").is_file():
            from jaxcnn.train.run_folder import instead_of

            raise FileNotFoundError(f"{path} is not a run folder: it holds no model. {instead_of(path)}.") from error
        raise type(error)(f"{error}; {_way_on(path, checkpoint)}.") from error


def set_temperature(path: str | os.PathLike[str], checkpoint: CheckpointName, card: Card, temperature: float) -> Path:
    """Note the temperature in model.json, of the model that has this card where it was read by `load_model`.

    The old file is replaced by the new one in one step. A run that goes on writes its model anew, at temperature 1.

    Returns: the file.

    Raises: ValueError where another model has taken its place meanwhile, OSError if it can't be written.
    """
    path = Path(path).expanduser()
    there, written = _current(path if _is_alone(path) else path / "model" / checkpoint)
    file, new = there / _CARD, there / f"{_CARD}.new"
    if records.read(Card, _ADDED | records.unsealed(written)) != card:
        raise ValueError(f"{file} has been written anew meanwhile, so it keeps its temperature; run this again.")
    new.write_text(records.sealed(asdict(replace(card, temperature=temperature))))
    new.replace(file)
    return file


def _is_alone(path: Path) -> bool:
    """Whether it is a model folder, and not a run's."""
    return any((path / name).exists() for name in (_CARD, _WEIGHTS))


def _way_on(run: Path, checkpoint: CheckpointName) -> str:
    """What to do where a run has not the whole model of a checkpoint."""
    from jaxcnn.train.run_folder import open_run

    other: CheckpointName = "last" if checkpoint == "best" else "best"
    ways = []
    with suppress(OSError, ValueError):
        read(run / "model" / other)
        ways.append(f"take the other one, --checkpoint {other}")
    command = "the run's own command,"
    with suppress(OSError, ValueError):
        command = open_run(run).config.command()
    return ", or ".join([*ways, f"have it written from the checkpoint, or after the next epoch, by {command} --resume"])


def read(folder: Path) -> Model:
    """The model in a model folder. Raises as `load_model`."""
    while True:
        there, card = _current(folder)
        try:
            return _read(there, card)
        except (FileNotFoundError, Damaged):
            if _current(folder) == (there, card):  # none took its place meanwhile
                raise


def _current(folder: Path) -> tuple[Path, bytes]:
    """The folder, or while a new one is put in its place the old one; and its card."""
    for there in (folder, _beside(folder, "old"), folder):
        with suppress(FileNotFoundError):
            return there, _bytes(there / _CARD)
    raise FileNotFoundError(f"{folder / _CARD} is missing")


def _beside(folder: Path, word: str) -> Path:
    return folder.with_name(f"{folder.name}.{word}")


def _read(folder: Path, written: bytes) -> Model:
    try:
        card = records.read(Card, _ADDED | records.unsealed(written))
    except ValueError as error:
        raise Damaged(f"{folder / _CARD} is not the model.json of a model, or is damaged: {error}") from error
    names = [_WEIGHTS] if card.source is None else [_WEIGHTS, _SOURCE]
    content = {name: _bytes(folder / name) for name in names}
    for name in names:
        if hashlib.sha256(content[name]).hexdigest() != card.files.get(name):
            raise Damaged(f"{folder / name} is damaged: its SHA-256 is not what {_CARD} says")
    if card.source is None:
        network = models.MODELS[card.network](**card.options) if card.network in models.MODELS else None
        if network is None:
            raise ValueError(f"{folder / _CARD} is of the network {card.network!r}, which this jaxcnn does not have.")
    else:
        network = Source(folder / _SOURCE, card.network, content[_SOURCE]).network(**card.options)
    x = jax.ShapeDtypeStruct((1, *card.image_shape), jnp.float32)
    params, state = jax.eval_shape(lambda: network.init(jax.random.key(0), x))
    try:
        arrays = safetensors.load(content[_WEIGHTS])
        averaged = {path.removeprefix("ema/"): array for path, array in arrays.items() if path.startswith("ema/")}
        fitted = safetensors.fitted(averaged or arrays, {"params": params, "state": state})
    except ValueError as error:
        raise ValueError(f"{folder / _WEIGHTS} does not fit the network {card.network}: {error}.") from error
    return Model(card, network, fitted["params"], fitted["state"])


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{file} is missing") from None
    except OSError as error:
        raise Damaged(f"{file} can't be read ({error.strerror})") from error


def write(folder: Path, tree: dict[str, Any], source: Source | None, **facts: Any) -> None:
    """Make this the model that `folder` holds.

    Args:
      tree: {"params": ..., "state": ...}, and the same under "ema".
      source: the file of a network of the user's own.
      facts: the fields of `Card` but for source, pixels_divided_by, versions and files.

    Raises: OSError if it can't be written.
    """
    content = {_WEIGHTS: safetensors.dump(tree)} | ({} if source is None else {_SOURCE: source.content})
    card = Card(
        source=None if source is None else _SOURCE,
        pixels_divided_by=255,
        jaxcnn=_version(),
        jax=jax.__version__,
        files={name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
        **facts,
    )
    new, old = _beside(folder, "new"), _beside(folder, "old")
    before = "; the one before it is whole" if os.path.lexists(folder) or os.path.lexists(old) else ""
    try:
        remove(new)
        new.mkdir(parents=True)
        for name, data in content.items():
            (new / name).write_bytes(data)
        (new / _CARD).write_text(records.sealed(asdict(card)))
    except OSError as error:
        with suppress(OSError):
            remove(new)
        raise OSError(f"the model {folder} can't be written ({error.strerror}){before}.") from error
    if os.path.lexists(folder):
        remove(old)
        folder.rename(old)
    new.rename(folder)
    remove(old)


def _version() -> str:
    try:
        return metadata.version("jaxcnn")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "unknown"
