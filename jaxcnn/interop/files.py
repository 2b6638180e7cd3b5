"""Weights in a file: arrays by the names that whoever wrote it gave them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxcnn.interop import keras, pth, safetensors

PYTORCH = (".pth", ".pt", ".bin", ".tar")
SAFETENSORS = (".safetensors",)
KERAS = (".h5", ".hdf5", ".keras")
KNOWN = (*SAFETENSORS, *PYTORCH, *KERAS)
WITHIN = ("state_dict", "model_state_dict", "model", "net", "params")  # where training scripts put the weights


def check_there(file: Path) -> None:
    """Raises FileNotFoundError where there is nothing, IsADirectoryError for a directory."""
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a directory; expected a file.")
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}.")


def read(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of safetensors, of PyTorch (`.pth`, `.pt`, `.bin`) or of Keras (`.h5`, `.keras`).

    Of a training script's checkpoint those of its network; `module.`, which DataParallel puts before each name, is left
    out. Nothing in a file is run.

    Raises: FileNotFoundError, IsADirectoryError; ValueError, naming the file, for another kind, for a damaged one, and
      for one that holds no named arrays.
    """
    check_there(file)
    ending = file.suffix.lower()
    if ending in SAFETENSORS:
        try:
            return safetensors.load(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}.") from error
    if ending in KERAS:
        return keras.read(file)
    if ending not in PYTORCH:
        known = ", ".join((*SAFETENSORS, *PYTORCH[:3], *KERAS))
        raise ValueError(f"{file} is of an unknown kind, by its ending; expected one of {known}.")
    found = pth.read(file)
    for name in WITHIN:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping):
        raise ValueError(f"{file} holds a {type(found).__name__}, and no arrays by their names.")
    arrays = {key: a for key, a in found.items() if isinstance(key, str) and isinstance(a, np.ndarray)}
    if not arrays:
        some = ", ".join(map(str, list(found)[:5])) or "nothing"
        raise ValueError(f"{file} holds no arrays by their names, but {some}.")
    if all(key.startswith("module.") for key in arrays):
        arrays = {key.removeprefix("module."): a for key, a in arrays.items()}
    return arrays
