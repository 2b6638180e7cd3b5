"""Another library's weights in a network of one's own."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxcnn.interop import files, own
from jaxcnn.interop.convert import KERAS, PYTORCH
from jaxcnn.interop.flat import flattened
from jaxcnn.interop.load import Mismatch, NotFinite, load
from jaxcnn.interop.names import Row, Table
from jaxcnn.layers import Layer, Params, State

WHOLE: Row = (r"(.+)", lambda path: str(path).replace("/", "."))  # a layer's name is its path


def load_weights(
    network: Layer, image_shape: tuple[int, int, int], file: str | Path, names: list[Row] | Table | None = None
) -> tuple[Params, State]:
    """The params and state of a network of your own, with the weights of PyTorch's, Keras's or a safetensors file.

    >>> from jaxcnn.layers import Conv, PReLU, chain
    >>> network = chain(conv1=Conv(10, padding="VALID"), prelu1=PReLU())
    >>> params, state = jaxcnn.load_weights(network, (12, 12, 3), "pnet.pt")  # doctest: +SKIP
    >>> logits = network(params, state, images)  # doctest: +SKIP

    Kernels and matrices are turned as our layers have them, and what follows `Flatten` takes the entries of an image
    in our order: PyTorch flattens it channel by channel. Nothing in the file is run.

    Args:
      image_shape: (h, w, c) of the images that it takes.
      file: `.safetensors`, `.pth`, `.pt` or `.bin`, `.h5` or `.keras`.
      names: what the file calls each layer: rows of a pattern of our paths and a name, or a function that makes one of
        the pattern's groups, numbers as such: (r"block(\\d)/conv", lambda n: f"features.{3 * n}"). The first pattern
        that fits a whole path counts. By default a layer is called as here, "block1.conv" for block1/conv; a file that
        `jaxcnn export` wrote is read by its own names. A `Table` says more (`jaxcnn.interop.names`): blue first
        (`bgr`), what is `spare`, and `flat_channels_last` of a network in PyTorch that permutes images before it
        flattens them.

    Raises: ValueError for a file that does not hold all of these weights, or has others, with their names and shapes;
      for a layer without a name, for NaN and infinities, and for a damaged file; where PyTorch's flattened images are
      joined with other branches before a layer with weights. FileNotFoundError without it. Nothing
      is half-loaded.
    """
    file = Path(os.fspath(file))
    arrays = files.read(file)
    if isinstance(names, Table):
        table = names
    elif names is None and own.is_ours(arrays):
        table = own.TABLE
    else:
        rows = [WHOLE] if names is None else names
        table = Table(lambda _: rows, convention=KERAS if file.suffix.lower() in files.KERAS else PYTORCH)
    example = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    params, state = jax.eval_shape(lambda: network.init(jax.random.key(0), example))
    try:
        by_channels = table.convention is PYTORCH and not table.flat_channels_last
        flat = flattened(network, params, state, example) if by_channels else {}
        params, state, _ = load(network, params, state, arrays, {"": table}, flat=flat)
    except KeyError as error:
        raise ValueError(f"load_weights: names have no row for the layer {error.args[0]}.") from None
    except NotFinite as error:
        raise ValueError(f"{file}: {error}.") from error
    except Mismatch as error:
        raise ValueError(f"{file} does not hold the weights of this network: {error}.") from error
    return params, state
