"""Files that `jaxcnn export` wrote: what they say beside weights, and the weights by our own names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxcnn.interop import safetensors
from jaxcnn.interop.convert import Convention
from jaxcnn.interop.names import Table

AS_THEY_ARE = Convention(
    key=lambda _, entry: "/".join((entry.tree, *entry.path)),
    read=lambda _, array, flat: array,
    write=lambda _, array, ndim, flat: array,
)
TABLE = Table(lambda _: [("(.*)", str)], convention=AS_THEY_ARE)
TUPLES = ("image_shape", "mean", "std", "classes")
SAID = (*TUPLES, "network", "crop", "resample", "activation", "temperature")


def is_ours(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether these are a network's arrays by our own names, as they lie in params and state."""
    return bool(arrays) and all(key.startswith(("params/", "state/")) for key in arrays)


def said(file: Path) -> dict[str, Any]:
    """What `jaxcnn export` wrote of network, images and outputs, see its `facts`; of any other file nothing."""
    if file.suffix.lower() != ".safetensors" or not file.is_file():
        return {}
    with file.open("rb") as content:
        words = safetensors.metadata(content)
    if "jaxcnn" not in words or any(name not in words for name in SAID):
        return {}
    try:
        found = {name: json.loads(words[name]) for name in SAID}
        return found | {name: tuple(found[name]) for name in TUPLES}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: what it says of its network is no JSON ({error}).") from error
