"""Keras's files (.h5, .weights.h5, .keras): arrays by the names of their layers and by what Keras calls them.

They are HDF5, which h5py reads (`pip install "jaxcnn[keras]"`); Keras is not needed. Nothing in a file is run, and
nothing outside it is read: HDF5 has links and arrays that lie in other files, with which a file of weights could fetch
any other.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

Arrays = dict[str, np.ndarray]
# What Keras calls the arrays of a layer, by their numbers of axes; they are in this order in every version's files.
NAMES = {
    "1": ["gamma"],
    "11": ["gamma", "beta"],
    "110": ["mean", "variance", "count"],  # of pixels
    "3": ["alpha"],  # of slopes
    "1111": ["gamma", "beta", "moving_mean", "moving_variance"],
    "21": ["kernel", "bias"],
    "41": ["kernel", "bias"],
    "2": ["kernel"],
    "4": ["kernel"],
    "44": ["depthwise/kernel", "pointwise/kernel"],
    "441": ["depthwise/kernel", "pointwise/kernel", "pointwise/bias"],
}


class Unsafe(ValueError):
    """The file refers to another."""


def read(file: Path) -> Arrays:
    """The arrays of a model or of its weights: "LAYER/kernel", "LAYER/moving_mean" and so on, see `NAMES`.

    Of a layer within a layer the inner one's name counts, and "/" in a name is "_", as it is since Keras 3. A separable
    convolution is two, "LAYER/depthwise" and "LAYER/pointwise".

    Raises: ValueError, naming the file, for one that is damaged or holds no layers' weights, and where h5py is missing;
    Unsafe for one that refers to other files.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f'{file} is Keras\'s, which h5py reads: pip install "jaxcnn[keras]".') from error
    try:
        content, names = _unzipped(file) if zipfile.is_zipfile(file) else (file, {})
        with h5py.File(content, "r") as opened:
            opened.visititems_links(_refuse_links)
            found = dict(_of_weights(opened) if "layer_names" in _root(opened).attrs else _of_variables(opened, names))
    except Unsafe as error:
        raise Unsafe(f"{file} is refused: {error}.") from None
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError, TypeError, UnicodeError, ValueError) as error:
        raise ValueError(f"{file} is damaged, or no file of Keras's: {error}.") from error
    if not found:
        raise ValueError(f"{file} holds no layers with weights.")
    return found


def _unzipped(file: Path) -> tuple[io.BytesIO, dict[str, str]]:
    """The weights of a .keras file, and the layers' names by their places in it."""
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed, which Keras's own never are")
        config = json.loads(archive.read("config.json"))
        return io.BytesIO(archive.read("model.weights.h5")), dict(_places(config["config"]))


def _places(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where each layer's variables are: by the name of its class, numbered in the order of the model."""
    used: dict[str, int] = {}
    for layer in config.get("layers", []):
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer["class_name"])).lower()
        place = f"layers/{kind}_{used[kind]}" if kind in used else f"layers/{kind}"
        used[kind] = used.get(kind, 0) + 1
        yield place, layer["config"]["name"]
        for inner, name in _places(layer["config"]):
            yield f"{place}/{inner}", name


def _refuse_links(name: str, link: Any) -> None:
    import h5py

    if not isinstance(link, h5py.HardLink):
        raise Unsafe(f"{name} is a link to {getattr(link, 'filename', 'another place in it')}")


def _root(opened: Any) -> Any:
    """Where the layers are: a model's file has an optimizer, too."""
    return opened.get("model_weights", opened)


def _of_weights(opened: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Keras 2's format: a group for each layer, and in its attributes the names of its arrays, in their order."""
    root = _root(opened)
    for layer in _listed(root, "layer_names"):
        inner: dict[str, list[np.ndarray]] = {}
        paths = _listed(root[layer], "weight_names")
        owners = [path.rpartition("/")[0] for path in paths]
        several = len(set(owners)) > 1
        for owner, path in zip(owners, paths, strict=True):
            name = owner.rpartition("/")[2] if several or owner.startswith(f"{layer}/") else layer
            inner.setdefault(name, []).append(_array(root[layer], path))
        for name, arrays in inner.items():
            yield from _named(name, arrays)


def _listed(group: Any, name: str) -> list[str]:
    """An attribute that is a list of names; a long one is cut into parts that are numbered."""
    parts = [name] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(f"{name}{len(parts)}")
    found = [entry for part in parts for entry in group.attrs[part]]
    return [entry.decode() if isinstance(entry, bytes) else entry for entry in found]


def _of_variables(opened: Any, names: Mapping[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Keras 3's format: layers/CLASS_3/vars/0, 1, ...; the layer's name is an attribute of vars, in newer versions."""
    import h5py

    groups: list[str] = []
    opened.visit(lambda path: groups.append(path) if path.endswith("/vars") else None)
    for path in groups:
        group = opened[path]
        if path.startswith("optimizer") or not isinstance(group, h5py.Group) or not len(group):
            continue
        arrays = [_array(group, number) for number in sorted(group, key=int)]
        if all(np.issubdtype(a.dtype, np.unsignedinteger) for a in arrays):
            continue  # the state of random numbers
        place = path.removesuffix("/vars").replace("_layer_checkpoint_dependencies", "layers")
        name = group.attrs.get("name", names.get(place))
        if name is None:
            raise ValueError(f"it lacks the name of {place}, as older versions of Keras do; save it as .keras or .h5")
        yield from _named(name, arrays)


def _array(group: Any, path: str) -> np.ndarray:
    """One array, whole. Raises Unsafe where its numbers are in another file."""
    dataset = group[path]
    if dataset.external or dataset.is_virtual:
        raise Unsafe(f"the numbers of {dataset.name} are in another file")
    if dataset.id.get_storage_size() < dataset.nbytes:
        raise ValueError(f"{dataset.name} is compressed, which Keras's own never are, or was not written")
    array = np.asarray(dataset)
    if dataset.attrs.get("dtype") == "bfloat16":
        array = array.view(ml_dtypes.bfloat16)
    if array.dtype.kind not in "fiu" and array.dtype != ml_dtypes.bfloat16:
        raise ValueError(f"{dataset.name} is of {array.dtype}, no numbers")
    return array


def _named(layer: str, arrays: list[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    numbers = [str(n) for n in range(len(arrays))]
    names = NAMES.get("".join(str(a.ndim) for a in arrays), numbers)
    for name, array in zip(names, arrays, strict=True):
        yield f"{layer.replace('/', '_')}/{name}", array
