"""Pictures with what a model looks at laid over them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array
from jaxtyping import Float, UInt8

from jaxcnn import explain
from jaxcnn.layers.base import Params, State, one_of
from jaxcnn.report import grid, style
from jaxcnn.train.model import Model

Method = Callable[..., Any]
# By the names that they have on the command line; the methods take `layer` or `key` as well, where they need them.
METHODS: dict[str, Method] = {
    "gradcam": explain.grad_cam,
    "gradcam++": explain.grad_cam_plus_plus,
    "guided": explain.guided_backprop,
    "deconvnet": explain.deconvnet,
    "saliency": explain.saliency,
    "integrated": lambda *given: explain.integrated_gradients(*given).attributions,
    "smoothgrad": explain.smooth_grad,
    "occlusion": explain.occlusion,
}
AT_A_LAYER = ("gradcam", "gradcam++")
LEAST = 224  # pixels of the shorter side of a picture that is written


def heat_maps(
    model: Model,
    images: UInt8[np.ndarray, "n h w c"],
    method: str,
    *,
    classes: int | Sequence[int] | None = None,
    layer: str | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "n h w"]:
    """What speaks for a class in each picture, from 0 to 1, by one of `METHODS`.

    Args:
      images: pixels of the model's `image_shape`, as it sees them.
      classes: one for all, or one for each; by default what the model says each is.
      layer: its path, for gradcam and gradcam++; by default the last one before the pooling.
      seed: of smoothgrad's noise.

    Raises: ValueError for an unknown method, with the nearest name, for a layer where none is asked for, and what the
      method raises.
    """
    found = heat_function(model, method, layer=layer, seed=seed)
    return np.asarray(found(model.params, model.state, model.preprocess(images), classes), np.float32)


def heat_function(model: Model, method: str, *, layer: str | None = None, seed: int = 0) -> Callable[..., Array]:
    """`heat_maps` as a function (params, state, x, classes) -> (n, h, w), which can be traced."""
    options = _options(method, layer, seed)

    def heat(params: Params, state: State, x: Float[Array, "n h w c"], classes: Any) -> Float[Array, "n h w"]:
        found = METHODS[method](model.network, params, state, x, classes, **options)
        return explain.heat(found, (x.shape[1], x.shape[2]))

    return heat


def check(model: Model, method: str, *, layer: str | None = None) -> None:
    """Raises what `heat_maps` would raise of the method, the layer and the network, before there are pictures."""
    x = jax.ShapeDtypeStruct((1, *model.image_shape), np.float32)
    found = heat_function(model, method, layer=layer)
    jax.eval_shape(lambda x: found(model.params, model.state, x, None), x)


def _options(method: str, layer: str | None, seed: int = 0) -> dict[str, Any]:
    one_of("heat_maps", "method", method, METHODS)
    options: dict[str, Any] = {"key": jax.random.key(seed)} if method == "smoothgrad" else {}
    if layer is not None:
        if method not in AT_A_LAYER:
            raise ValueError(f"heat_maps: layer is {layer!r}, and {method} has none; {' and '.join(AT_A_LAYER)} have.")
        options["layer"] = layer
    return options


def write_overlay(path: Path, pixels: UInt8[np.ndarray, "h w c"], heat: Float[np.ndarray, "h w"]) -> None:
    """The heat over the picture, as a PNG; a small picture is enlarged by a whole number."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", style.SOFTWARE)
    drawn = Image.fromarray(explain.overlay(pixels, heat))
    times = -(-LEAST // min(drawn.size))
    drawn.resize((drawn.width * times, drawn.height * times), Image.Resampling.NEAREST).save(path, "PNG", pnginfo=info)


def write_grid(
    path: Path,
    pictures: UInt8[np.ndarray, "n h w c"],
    heats: Float[np.ndarray, "n h w"],
    titles: Sequence[str],
    *,
    title: str,
) -> None:
    """The first 20 pictures, each with its title and beside it once more with its heat, as a PNG."""
    pictures = pictures[: grid.ROWS * grid.COLUMNS // 2]
    colour = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    over = [explain.overlay(pixels, heat) for pixels, heat in zip(pictures, heats, strict=False)]
    both = np.stack([colour, np.stack(over)], 1).reshape(-1, *colour.shape[1:])
    words = [word for text in titles for word in ((text, style.INK), ("", style.INK))]
    grid.save(both, words, path, title=title)
