"""A network of the zoo with weights that another library trained."""

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn import models
from jaxcnn.data.pictures import Fit, Resample
from jaxcnn.interop import files, hub, own, repository
from jaxcnn.interop.fitting import HEAD, fitting, shapes
from jaxcnn.interop.load import Arrays, Mismatch, NotFinite, load, match
from jaxcnn.interop.names import Table
from jaxcnn.interop.tables import tables_for
from jaxcnn.layers import Layer, Params, State, features

MARGIN = 32  # of a side: 224 pixels are cropped from 256; other sizes as EfficientNet's authors do it
OUTPUTS = ("classes", "loss", "temperature")  # what is said of a head, and not of another one
Shape = tuple[int, ...] | None  # (h, w, c) that a file says, else the network's own


class Source(NamedTuple):
    """Where weights came from.

    Attributes:
      name: of a repository on Hugging Face's hub, or the file.
      revision: the commit of the repository, None for a file.
      sha256: the hash of the file.
    """

    name: str
    revision: str | None
    sha256: str


class Pretrained(NamedTuple):
    """A network and its weights.

    Attributes:
      network, params, state: `network(params, state, images)` are logits of images (n, h, w, c).
      mean, std: per channel, of pixels from 0 to 1, that the weights expect: (pixels / 255 - mean) / std.
      image_shape: (h, w, c) that the network was made for; others, of 32×32 or more, will mostly do.
      crop, resample: how a picture becomes `image_shape`, see `data.pictures.Fit`.
      library: whose names the file has.
      source: where the weights came from.
      classes: the names of the outputs, where a file that `jaxcnn export` wrote says them and its head is kept.
      loss, temperature: what makes probabilities of logits, see `train.Card`; of such a file, else those of ImageNet's.
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
    source: Source
    classes: tuple[str, ...] | None = None
    loss: Literal["softmax", "sigmoid"] = "softmax"
    temperature: float = 1.0


def load_pretrained(
    name: str, file: str | Path, *, classes: int | Literal["file"] | None = None, key: Array | None = None
) -> Pretrained:
    """The network called `name` in `jaxcnn.models` with torchvision's, timm's, Hugging Face's or Keras's weights.

    >>> net = jaxcnn.load_pretrained("resnet50", "resnet50-0676ba61.pth")  # doctest: +SKIP
    >>> net = jaxcnn.load_pretrained("resnet50", "timm/resnet50.a1_in1k")  # doctest: +SKIP
    >>> logits = net.network(net.params, net.state, (images / 255 - net.mean) / net.std)  # doctest: +SKIP

    Args:
      name: such as "resnet50" or "efficientnet_lite0".
      file: `.safetensors`; `.pth`, `.pt` or `.bin` as PyTorch writes it; `.h5` or `.keras` (`pip install
        "jaxcnn[keras]"`). Nothing in it is run. Or the name of a repository on Hugging Face's hub, `OWNER/NAME` or
        `OWNER/NAME@REVISION` (`pip install "jaxcnn[hub]"`), which is fetched once; without a network the hub's cache is
        looked in. What a file of `jaxcnn export --to safetensors` says of images and classes counts.
      classes: how many, by default as many as the network was published with. "file" keeps the head of a file that has
        others; a number gives the network a new head, random by `key` (by default `jax.random.key(0)`). With 0 there is
        none: the network is `layers.features` of the one by that name.

    Raises: ValueError for an unknown network, for one whose names in other libraries are not known, and for a file that
      does not hold its weights, with what is lacking or left over and the network of ours that fits, if one does; for
      NaN and infinities, for a name on the hub that can't be fetched, and where a package is missing. FileNotFoundError
      without the file. Nothing is half-loaded.
    """
    path, source, said = _found(name, os.fspath(file))
    arrays = files.read(path)
    known = tables_for(name, arrays)
    if own.is_ours(arrays) and not said:
        raise ValueError(
            f"{file} has the weights by jaxcnn's own names, and not how pictures become what they take: it is a model "
            "folder's. Take the folder: jaxcnn.load_model(FOLDER), jaxcnn predict FOLDER."
        )
    shape = said.pop("image_shape", None)
    try:
        network, params, state = _fresh(name, classes, shape, arrays, jax.random.key(0) if key is None else key)
        loaded = load(network, params, state, arrays, known, without=HEAD if isinstance(classes, int) else "(?!)")
    except NotFinite as error:
        raise ValueError(f"{file}: {error}.") from error
    except Mismatch as error:
        raise ValueError(_told(name, shape, file, error, arrays)) from error
    if classes == 0:
        network, loaded = features(network), loaded._replace(params=_below(loaded.params), state=_below(loaded.state))
    how = images(name, known[loaded.library], arrays, shape)
    how |= {what: value for what, value in said.items() if what not in OUTPUTS or not isinstance(classes, int)}
    return Pretrained(network, loaded.params, loaded.state, library=loaded.library, source=source, **how)


def images(name: str, table: Table, arrays: Arrays, shape: Shape = None) -> dict[str, Any]:
    """What the library says of the images for a network's weights, by `Pretrained`'s names; of `shape` if that is."""
    mean, std = table.pixels(arrays) or (table.mean, table.std)
    size, _, channels = shape or models.ABOUT[name].image_shape
    fit = Fit(size, size / (size + MARGIN), table.resample)
    if shape is None:
        fit = table.fits.get(name, fit)
        shape = fit.size, fit.size, channels
    return {"mean": mean, "std": std, "image_shape": shape, "crop": fit.crop, "resample": fit.resample}


def _found(name: str, file: str) -> tuple[Path, Source, dict[str, Any]]:
    """The file that a path or a name on the hub means, and what it or the hub says of images and outputs."""
    if Path(file).suffix.lower() in files.KNOWN or not hub.is_name(file):
        path = Path(file)
        source = Source(file, None, hub.sha256(path) if path.is_file() else "")
        said = own.said(path)
    else:
        fetched = hub.fetch(file)
        path, source = fetched.file, Source(fetched.name, fetched.revision, hub.sha256(fetched.file))
        said = own.said(path) | repository.images(fetched.config, fetched.preprocessor)
        if network := repository.network(fetched.config):
            said["network"] = network
    other = said.pop("network", name)
    if other != name:
        raise ValueError(f"{file} holds the weights of {other}, not of {name}.")
    if "activation" in said:
        said["loss"] = said.pop("activation")
    return path, source, said


def _fresh(
    name: str, classes: int | Literal["file"] | None, image_shape: Shape, arrays: Arrays, key: Array
) -> tuple[Layer, Params, State]:
    """The network, its head random where it is to be; only shapes of all that is to be loaded."""
    if not isinstance(classes, int):
        count = _classes(name, image_shape, arrays) if classes == "file" else None
        return shapes(name, count, image_shape)
    network, params, state = shapes(name, classes or None, image_shape)
    example = jax.ShapeDtypeStruct((1, *(image_shape or models.ABOUT[name].image_shape)), jnp.float32)

    @jax.jit
    def drawn(key: Array) -> tuple[Params, State]:
        """The head alone: to draw the whole network takes long to compile."""
        params, state = network.init(key, example)
        return {"head": params["head"]}, {part: state[part] for part in state if part == "head"}

    if classes:
        head_params, head_state = drawn(key)
        params, state = params | head_params, state | head_state
    return network, params, state


def _below(tree: Params) -> Params:
    """Params or state without the head's."""
    return {part: arrays for part, arrays in tree.items() if part != "head"}


def _classes(name: str, image_shape: Shape, arrays: Arrays) -> int | None:
    """How many the head of the file has, None where it has none."""
    *_, ours, theirs = match(*shapes(name, None, image_shape), arrays, tables_for(name, arrays))
    heads = [key for key, entry in ours.items() if entry.path[0] == "head" and entry.path[-1] == "bias"]
    return theirs[heads[-1]].size if heads and heads[-1] in theirs else None


def _told(name: str, image_shape: Shape, file: str | Path, error: Mismatch, arrays: Arrays) -> str:
    """What to do about it."""
    heads = [entry.path[0] == "head" for entry, _ in error.wrong.values()]
    if heads and all(heads) and not error.missing and not error.spare:
        count = _classes(name, image_shape, arrays)
        keep = f'classes="file" keeps its head, and a number, such as classes={count}, gives the network a new one'
        return f"{file} is of {count} classes, and {name} was published with others: {error}. {keep}."
    return f"{file} does not hold the weights of {name}: {error}. {fitting(arrays) or ''}".rstrip()
