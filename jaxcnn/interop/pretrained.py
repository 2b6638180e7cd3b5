"""A network of the zoo with weights that another library trained."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn import models
from jaxcnn.data.pictures import Resample
from jaxcnn.interop import files
from jaxcnn.interop.convert import entries
from jaxcnn.interop.load import Arrays, Loaded, Mismatch, keys, load
from jaxcnn.interop.names import Table
from jaxcnn.interop.tables import tables
from jaxcnn.layers import Layer, Params, State, features

MARGIN = 32  # of a side: 224 pixels are cropped from 256; other sizes as EfficientNet's authors do it
HEAD = r"head(/.*)?"
BUFFERS = r".*\.(running_mean|running_var|num_batches_tracked)"


class Pretrained(NamedTuple):
    """A network and its weights.

    Attributes:
      network, params, state: `network(params, state, images)` are logits of images (n, h, w, c).
      mean, std: per channel, of pixels from 0 to 1, that the weights expect: (pixels / 255 - mean) / std.
      image_shape: (h, w, c) that the network was made for; others, of 32×32 or more, will mostly do.
      crop, resample: how a picture becomes `image_shape`, see `data.pictures.Fit`.
      library: whose names the file has.
    """

    network: Layer
    params: Params
    state: State
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_shape: tuple[int, int, int]
    crop: float
    resample: Resample
    library: str


def load_pretrained(name: str, file: str | Path, *, classes: int | None = None, key: Array | None = None) -> Pretrained:
    """The network called `name` in `jaxcnn.models` with the weights of torchvision's, timm's or Hugging Face's file.

    >>> net = jaxcnn.load_pretrained("resnet50", "resnet50-0676ba61.pth")  # doctest: +SKIP
    >>> logits = net.network(net.params, net.state, (images / 255 - net.mean) / net.std)  # doctest: +SKIP

    Args:
      name: such as "resnet50" or "efficientnet_lite0".
      file: `.safetensors`, or `.pth`, `.pt` or `.bin` as PyTorch writes it, of which nothing is run.
      classes: for other classes than the file's: the network gets a new head, random by `key` (by default
        `jax.random.key(0)`). Without it the head is the file's, of however many classes (what timm asks to be told as
        `num_classes`). With 0 there is no head: the network is `layers.features` of the one by that name.

    Raises: ValueError for an unknown network, for one whose names in other libraries are not known, and for a file that
      does not hold its weights, with what is lacking or left over and the network of ours that fits, if one does;
      FileNotFoundError without the file. Nothing is half-loaded.
    """
    file, known = Path(file), tables(name)
    arrays = files.read(file)
    network, params, state = _shapes(name, _outputs(name, arrays, known) if classes is None else classes or None)
    if classes:
        params, state = _with_head(network, name, params, state, jax.random.key(0) if key is None else key)
    try:
        loaded = load(network, params, state, arrays, known, without="(?!)" if classes is None else HEAD)
    except Mismatch as error:
        instead = _known(arrays)
        hint = f" They are those of {instead}." if instead else ""
        raise ValueError(f"{file} does not hold the weights of {name}: {error}.{hint}") from error
    if classes == 0:
        network = features(network)
        params, state, library = loaded
        loaded = Loaded(_parts(params, head=False), _parts(state, head=False), library)
    table = known[loaded.library]
    shape = models.ABOUT[name].image_shape
    crop = shape[0] / (shape[0] + MARGIN)
    how = (table.mean, table.std, shape, crop, table.resample)
    return Pretrained(network, loaded.params, loaded.state, *how, loaded.library)


def _shapes(name: str, classes: int | None) -> tuple[Layer, Params, State]:
    """The network, and the shapes of its params and state."""
    network = models.create(name, classes)
    return network, *jax.eval_shape(lambda: network.init(jax.random.key(0), _example(name)))


def _with_head(network: Layer, name: str, params: Params, state: State, key: Array) -> tuple[Params, State]:
    """The head random, of all others the shapes: to draw the whole network would take a while to compile."""

    @jax.jit
    def made(key: Array) -> list[Params]:
        return [_parts(tree, head=True) for tree in network.init(key, _example(name))]

    return tuple(tree | head for tree, head in zip((params, state), made(key), strict=True))


def _parts(tree: Params, *, head: bool) -> Params:
    """The head's part of params or state, or all others."""
    return {part: arrays for part, arrays in tree.items() if (re.fullmatch(HEAD, part) is not None) == head}


def _example(name: str) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *models.ABOUT[name].image_shape), jnp.float32)


def _outputs(name: str, arrays: Arrays, known: Mapping[str, Table]) -> int | None:
    """How many classes the file's head has, by its bias; None where the file has none by that name."""
    of = entries(*_shapes(name, None))
    bias = [entry for entry in of if entry.leaf == "bias" and re.fullmatch(HEAD, "/".join(entry.path[:-1]))][-1]
    named = [key for table in known.values() for key, entry in keys(table, of).items() if entry is bias]
    return next((arrays[key].size for key in named if key in arrays), None)


def _known(arrays: Arrays) -> str | None:
    """The network whose weights these are, if it is one of ours: by their number first, then by trying."""
    count = sum(a.size for key, a in arrays.items() if not re.fullmatch(BUFFERS, key))
    for name, about in models.ABOUT.items():
        if about.parameters == count:
            with suppress(ValueError):  # no network that others have, or of other names
                load(*_shapes(name, None), arrays, tables(name))
                return name
    return None
