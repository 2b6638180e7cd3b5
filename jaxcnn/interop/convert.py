"""PyTorch's arrays to ours and back: what becomes of each follows from the layer that it belongs to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.layers import BatchNorm, Conv, Dense, DepthwiseConv, Layer, LayerNorm, LayerScale
from jaxcnn.layers.walk import at, leaves


class Entry(NamedTuple):
    """One of our arrays: "params" or "state", its path there, the layer that it belongs to, and their leaf's name."""

    tree: str
    path: tuple[str, ...]
    layer: Layer
    leaf: str


NORM = {"scale": "weight", "bias": "bias"}
RUNNING = {"mean": "running_mean", "var": "running_var"}


def entries(network: Layer, params: Mapping[str, Any], state: Mapping[str, Any]) -> list[Entry]:
    """Every array of the network, whose params and state are these. Raises ValueError for a layer that has no like."""
    found = []
    for path, layer in leaves(network):
        for tree, arrays in (("params", at(params, path)), ("state", at(state, path))):
            for name in arrays:
                found.append(Entry(tree, (*path, name), layer, _leaf(layer, tree, name)))
    return found


def _leaf(layer: Layer, tree: str, name: str) -> str:
    """What PyTorch calls it; "" for an array that is its module's only one."""
    match layer:
        case Conv() | DepthwiseConv() | Dense():
            return {"kernel": "weight"}.get(name, name)
        case BatchNorm() | LayerNorm():
            return (NORM if tree == "params" else RUNNING)[name]
        case LayerScale():
            return ""
    raise ValueError(f"{type(layer).__name__} has no like among PyTorch's modules")


def from_torch(entry: Entry, array: np.ndarray, flat: tuple[int, int] | None = None) -> np.ndarray:
    """Their array as ours.

    A kernel (out, in, *window) becomes (*window, in, out), a matrix (out, in) is transposed; a dense layer may be a 1×1
    convolution there, and the other way round. `flat` is the (h, w) of the images whose entries, channel by channel, a
    dense layer takes.
    """
    if isinstance(entry.layer, LayerScale):
        return array.reshape(-1)
    if entry.path[-1] != "kernel":
        return array
    if flat is not None and array.ndim == 2:
        array = array.reshape(len(array), -1, *flat)
    moved = np.moveaxis(array, (0, 1), (-1, -2))
    return moved.reshape(-1, moved.shape[-1]) if isinstance(entry.layer, Dense) else _windowed(moved)


def to_torch(
    entry: Entry, array: np.ndarray, ndim: int | None = None, flat: tuple[int, int] | None = None
) -> np.ndarray:
    """Our array as theirs, the inverse of `from_torch`; `ndim` is of their array, where it is not that of ours."""
    if entry.path[-1] == "kernel":
        if flat is not None:
            array = array.reshape(*flat, -1, array.shape[-1])
        array = np.moveaxis(array, (-1, -2), (0, 1))
        if flat is not None and ndim is None:
            array = array.reshape(len(array), -1)
    if ndim is None:
        return array
    return array.reshape(array.shape[:ndim] + (1,) * (ndim - array.ndim))


def _windowed(kernel: np.ndarray) -> np.ndarray:
    """A matrix as a 1×1 kernel."""
    return kernel[None, None] if kernel.ndim == 2 else kernel
