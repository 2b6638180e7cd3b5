"""What other libraries call the layers of a network: a table for each family and library.

A row is a pattern of our layers' paths and the name of their module, made of what the pattern's groups match (numbers
as such). The first row that fits the whole path counts. So a table is read both ways, and what is not in it is known.
What becomes of an array follows from the layer that it belongs to (`interop/convert.py`).
"""

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.data.pictures import Fit, Resample
from jaxcnn.interop.convert import PYTORCH, Convention

Paths = Collection[str]  # of the network's layers
Row = tuple[str, str | Callable[..., str]]
Pixels = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation per channel
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


class Table(NamedTuple):
    """A library's names for a family of networks.

    Attributes:
      rows: of a network whose layers have these paths.
      spare: a pattern of their modules that ours leaves out, such as a head for training only.
      renamed: patterns of keys of older files, and what they are called now.
      axes: patterns of our paths, and how many axes their array has, where ours has another number: a dense layer that
        is a 1×1 convolution there, or the other way round.
      convention: PyTorch's or Keras's, of what an array is called and how it lies.
      bgr: the path of the convolution that images go into, where the library has blue first.
      in_order: our layers in the order of the library's files, where that counts if the names are those of an older
        version, as Keras has it.
      mean, std: per channel, of pixels from 0 to 1, with which the library's weights were trained.
      pixels: what a file's arrays say of mean and std themselves, if anything.
      resample: how pictures were resized for it, see `data.pictures.Fit`.
      fits: by the network's name, where size, crop or resampling are not those of all: torchvision's of its first
        weights (V1), timm's of those that its name alone means.
      flat: the path of the dense layer that flattened images go into, and their spatial size (h, w): their entries come
        channel by channel there. `load_weights` finds such layers by itself.
      flat_channels_last: whether the library's network puts channels last itself before it flattens images, as ours do.
    """

    rows: Callable[[Paths], list[Row]]
    spare: str = r"(?!)"
    renamed: tuple[tuple[str, str], ...] = ()
    axes: tuple[tuple[str, int], ...] = ()
    flat: tuple[str, int, int] | None = None
    flat_channels_last: bool = False
    convention: Convention = PYTORCH
    bgr: str | None = None
    in_order: Callable[[Paths], list[str]] | None = None
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    pixels: Callable[[Mapping[str, np.ndarray]], Pixels | None] = lambda _: None
    resample: Resample = "bilinear"
    fits: Mapping[str, Fit] = MappingProxyType({})

    def modules(self, paths: Paths) -> dict[str, str]:
        """Their module for each of our layers. Raises KeyError, naming it, for one that the table lacks."""
        rows = self.rows(paths)
        return {path: named(path, rows) for path in paths}


# Pixels as Caffe had them: less the mean colour and not divided.
CAFFE: Any = {"mean": (123.68 / 255, 116.779 / 255, 103.939 / 255), "std": (1 / 255,) * 3}


def named(path: str, rows: list[Row]) -> str:
    """What the first row that fits calls the layer. Raises KeyError where none does."""
    for pattern, name in rows:
        if match := re.fullmatch(pattern, path):
            groups = [int(group) if group and group.isdecimal() else group for group in match.groups()]
            return name if isinstance(name, str) else name(*groups)
    raise KeyError(path)
