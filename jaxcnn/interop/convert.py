"""Other libraries' arrays to ours and back: what becomes of each follows from the layer that it belongs to."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.interop.flat import Sizes
from jaxcnn.layers import Conv, Dense, DepthwiseConv, Layer, LayerScale, PReLU
from jaxcnn.layers.walk import at, leaves


class Entry(NamedTuple):
    """One of our arrays: "params" or "state", its path there, and the layer that it belongs to."""

    tree: str
    path: tuple[str, ...]
    layer: Layer


class Convention(NamedTuple):
    """How libraries name a layer's arrays, and lay them out.

    Attributes:
      key: (module, entry) -> what the array is called.
      read: (entry, array, flat) -> their array as ours, `flat` as in `from_torch`.
      write: (entry, array, ndim, flat) -> ours as theirs, the inverse of `read`; `ndim` is of theirs, where it is not
        that of ours.
    """

    key: Callable[[str, Entry], str]
    read: Callable[[Entry, np.ndarray, Sizes | None], np.ndarray]
    write: Callable[[Entry, np.ndarray, int | None, Sizes | None], np.ndarray]


def entries(network: Layer, params: Mapping[str, Any], state: Mapping[str, Any]) -> list[Entry]:
    """Every array of the network, whose params and state are these."""
    found = []
    for path, layer in leaves(network):
        for tree, arrays in (("params", at(params, path)), ("state", at(state, path))):
            found += [Entry(tree, (*path, name), layer) for name in arrays]
    return found


TORCH_NAMES = {"kernel": "weight", "scale": "weight", "slope": "weight", "mean": "running_mean", "var": "running_var"}


def torch_key(module: str, entry: Entry) -> str:
    """MODULE.weight and the like; an array that is no module's has the name alone."""
    name = entry.path[-1]
    return module if isinstance(entry.layer, LayerScale) else f"{module}.{TORCH_NAMES.get(name, name)}"


def from_torch(entry: Entry, array: np.ndarray, flat: Sizes | None = None) -> np.ndarray:
    """Their array as ours.

    A kernel (out, in, *window) becomes (*window, in, out), a matrix (out, in) is transposed; a dense layer may be a 1×1
    convolution there, and the other way round. `flat` are the sizes, such as (h, w), of the flattened images that the
    layer takes: their entries come channel by channel there.
    """
    if isinstance(entry.layer, LayerScale):
        return array.reshape(-1)
    if flat is not None and array.ndim == (2 if isinstance(entry.layer, Dense) else 1):
        images = array.reshape(*array.shape[:-1], -1, *flat)
        array = np.moveaxis(images, array.ndim - 1, -1).reshape(array.shape)
    if entry.path[-1] != "kernel":
        return array
    moved = np.moveaxis(array, (0, 1), (-1, -2))
    return moved.reshape(-1, moved.shape[-1]) if isinstance(entry.layer, Dense) else _windowed(moved)


def to_torch(entry: Entry, array: np.ndarray, ndim: int | None = None, flat: Sizes | None = None) -> np.ndarray:
    """Our array as theirs, the inverse of `from_torch`."""
    if entry.path[-1] == "kernel":
        if flat is not None:
            array = array.reshape(*flat, -1, array.shape[-1])
        array = np.moveaxis(array, (-1, -2), (0, 1))
        if flat is not None and ndim is None:
            array = array.reshape(len(array), -1)
    if ndim is None:
        return array
    return array.reshape(array.shape[:ndim] + (1,) * (ndim - array.ndim))


KERAS_NAMES = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance", "slope": "alpha"}


def keras_key(module: str, entry: Entry) -> str:
    """MODULE/kernel and the like, as `interop.keras` names them."""
    name = entry.path[-1]
    multiplies = isinstance(entry.layer, Conv | DepthwiseConv | Dense)
    return f"{module}/{name if multiplies else KERAS_NAMES.get(name, name)}"


def from_keras(entry: Entry, array: np.ndarray, flat: Sizes | None = None) -> np.ndarray:
    """Their array as ours: channels are last in both.

    Of a depthwise kernel (*window, in, multiplier) the last two axes are one of ours; a dense layer may be a 1×1
    convolution there, and the other way round; slopes that all places share are (1, ..., channels).
    """
    if isinstance(entry.layer, PReLU):
        return array.reshape(-1) if array.size == array.shape[-1] else array
    if entry.path[-1] != "kernel":
        return array
    match entry.layer:
        case DepthwiseConv():
            return array.reshape(*array.shape[:2], 1, -1)
        case Dense():
            return array.reshape(-1, array.shape[-1]) if array.shape[:-2] == (1, 1) else array
    return _windowed(array)


def to_keras(entry: Entry, array: np.ndarray, ndim: int | None = None, flat: Sizes | None = None) -> np.ndarray:
    """Our array as theirs, the inverse of `from_keras`; with `ndim` a depthwise kernel is that of a grouped one."""
    if ndim is None:
        if entry.path[-1] == "kernel" and isinstance(entry.layer, DepthwiseConv):
            return array.reshape(*array.shape[:2], -1, entry.layer.multiplier)
        return array
    return array.reshape((1,) * (ndim - array.ndim) + array.shape[-ndim:])


def _windowed(kernel: np.ndarray) -> np.ndarray:
    """A matrix as a 1×1 kernel."""
    return kernel[None, None] if kernel.ndim == 2 else kernel


PYTORCH = Convention(torch_key, from_torch, to_torch)
KERAS = Convention(keras_key, from_keras, to_keras)
