"""Feature maps layer by layer, and Grad-CAM, for a few test pictures that one can choose among."""

import math
from dataclasses import dataclass

import numpy as np
from jax import Array
from jaxtyping import Float, Int, UInt8

from jaxcnn import explain
from jaxcnn.explain.grad_cam import last_with_places
from jaxcnn.layers.combine import Combinator
from jaxcnn.report.page import activity, pictures
from jaxcnn.report.page.section import Missing, section
from jaxcnn.report.page.trained import Tested, Trained
from jaxcnn.train.evaluate import inputs
from jaxcnn.train.model import Model

VALUES = 600_000  # of all maps of all pictures together
SIDES = (128, 96, 64, 48, 32, 24, 16, 8)  # pixels of a map's longer side: the first with which they are no more
LARGE = 224  # pixels of a picture's longer side
TOP = 3
COLUMNS = 6  # of maps
LEAST = 16  # pixels of a map's longer side
UNIT = 6  # pixels a side of a unit of a layer without places
IN_A_ROW = 64  # of these at most


@dataclass(frozen=True)
class Heat:
    """Grad-CAM over the picture: what speaks for a class."""

    name: str
    uri: str


@dataclass(frozen=True)
class Drawn:
    """The maps of one layer: channel by channel in rows, or the units of a layer without places.

    Attributes:
      kind: the layer, as it is written.
      shape: of its whole output.
      channels: the numbers of those that are drawn, in their order.
      low, high: the values that are black and white.
      width, height: of the sheet; `columns` maps lie side by side, with a gap of one pixel. Small ones are enlarged.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    channels: tuple[int, ...]
    low: float
    high: float
    uri: str
    width: int
    height: int
    columns: int
    places: bool


@dataclass(frozen=True)
class Picture:
    """A test image by its number, with its class, the most probable classes, Grad-CAM and all maps."""

    image: int
    true: str
    said: str
    top: list[tuple[str, float]]
    thumb: str
    uri: str
    heats: list[Heat]
    layers: list[Drawn]

    @property
    def right(self) -> bool:
        """Whether it was taken for its class."""
        return self.true == self.said


@dataclass(frozen=True)
class Maps:
    """Attributes:
    layer: the path of the layer that Grad-CAM looks at, None where there is none; then `why` says so.
    fine: whether the images are photographs.
    """

    pictures: list[Picture]
    layer: str | None
    why: str
    fine: bool


@section("maps", "Feature maps and Grad-CAM")
def maps(trained: Trained) -> Maps:
    """Raises: Missing where there is neither."""
    model, tested = trained.model, trained.tested
    assert model is not None and tested is not None
    found = trained.activity
    chosen = np.asarray(found.pictures)
    pixels = tested.pixels(chosen)
    x = inputs(model, tested.images[chosen])
    layer, why = _layer(model, x)
    if layer is None and not found.maps:
        raise Missing("The network is a single layer: there is nothing within it to look at.")
    heats = [[] for _ in chosen] if layer is None else _heats(model, x, tested, chosen, layer)
    side = _side(found.maps)
    shown = []
    for place, image in enumerate(found.pictures):
        p = tested.probabilities[image]
        top = np.argsort(-p, kind="stable")[:TOP]
        shown.append(
            Picture(
                image,
                model.classes[tested.labels[image]],
                model.classes[tested.said[image]],
                [(model.classes[k], float(p[k])) for k in top],
                _photograph(pixels[place], pictures.LARGEST),
                _photograph(pixels[place], LARGE),
                heats[place],
                [_drawn(layer, place, side) for layer in found.maps],
            )
        )
    return Maps(shown, layer, why, pictures.is_fine(pixels.shape[1:]))


def _layer(model: Model, x: Float[Array, "p h w c"]) -> tuple[str | None, str]:
    try:
        return last_with_places("Grad-CAM", model.network, model.params, model.state, x), ""
    except ValueError:
        return None, "Grad-CAM needs a layer whose output has places, and the network has none."


def _heats(
    model: Model, x: Float[Array, "p h w c"], tested: Tested, chosen: Int[np.ndarray, " p"], layer: str
) -> list[list[Heat]]:
    """For each picture of the class that was said, and of the true one where this is another."""
    pixels = tested.pixels(chosen)
    said, true = tested.said[chosen], tested.labels[chosen]
    made = []
    for classes in (said, true) if (said != true).any() else (said,):
        cam = explain.grad_cam(model.network, model.params, model.state, x, classes, layer=layer)
        made.append(np.asarray(explain.heat(cam, (x.shape[1], x.shape[2]))))
    return [
        [
            Heat(model.classes[k], _overlay(pixels[place], heat[place]))
            for k, heat in zip(dict.fromkeys((int(said[place]), int(true[place]))), made, strict=False)
        ]
        for place in range(len(chosen))
    ]


def _overlay(pixels: UInt8[np.ndarray, "h w c"], heat: Float[np.ndarray, "h w"]) -> str:
    return _photograph(explain.overlay(pixels, heat), LARGE)


def _photograph(pixels: UInt8[np.ndarray, "h w c"], side: int) -> str:
    return pictures.photograph(pictures.shrunk(pixels[None], side)[0])


def _side(layers: list[activity.Maps]) -> int:
    for side in SIDES:
        total = 0
        for layer in layers:
            n, *places, channels = layer.values.shape
            share = min(1.0, side / max(places, default=1))
            total += n * channels * math.prod(max(1, round(length * share)) for length in places)
        if total <= VALUES:
            break
    return side


def _drawn(layer: activity.Maps, picture: int, side: int) -> Drawn:
    values = np.asarray(layer.values[picture], np.float32)
    places = values.ndim == 3
    low, high = float(values.min()), float(values.max())
    shades = pictures.grey(values, low, high)
    if places:
        tiles = pictures.enlarged(pictures.shrunk(np.moveaxis(shades, -1, 0)[..., None], side), LEAST)
        columns = min(COLUMNS, len(tiles))
    else:
        tiles = pictures.enlarged(shades.reshape(-1, 1, 1, 1), UNIT)
        columns = math.ceil(len(tiles) / math.ceil(len(tiles) / IN_A_ROW))
    sheet = pictures.tiled(tiles, columns, gap=1)
    return Drawn(
        layer.path,
        repr(layer.layer).split("(")[0] if isinstance(layer.layer, Combinator) else repr(layer.layer),
        layer.shape,
        tuple(int(channel) for channel in layer.channels),
        low,
        high,
        pictures.uri(sheet),
        sheet.shape[1],
        sheet.shape[0],
        columns,
        places,
    )
