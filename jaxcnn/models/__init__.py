"""Networks by name. Each function returns a layer."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from jaxcnn.layers import Layer
from jaxcnn.layers.base import one_of
from jaxcnn.models import custom
from jaxcnn.models.cifar import cifar_small
from jaxcnn.models.course import conv_blocks, three_convs, two_filters
from jaxcnn.models.lenet import lenet5
from jaxcnn.models.resnet import resnet, resnet_cifar
from jaxcnn.models.vgg import vgg

MODELS: dict[str, Callable[..., Layer]] = {
    "lenet5": lenet5,
    "cifar_small": cifar_small,
    "two_filters": two_filters,
    "three_convs": three_convs,
    "conv_blocks": conv_blocks,
    **{f"vgg{depth}": partial(vgg, depth) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": partial(vgg, depth, batch_norm=True) for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": partial(resnet_cifar, depth) for depth in (20, 32, 44, 56)},
    **{f"resnet{depth}": partial(resnet, depth) for depth in (18, 34, 50)},
}


class About(NamedTuple):
    """What a network is, in a line, and the images (h, w, c) that it was made for."""

    image_shape: tuple[int, int, int]
    line: str


ABOUT: dict[str, About] = {
    "lenet5": About((28, 28, 1), "LeCun et al. 1998; relu, max pooling"),
    "cifar_small": About((32, 32, 3), "seven convolutions, trained fast"),
    "two_filters": About((5, 5, 3), "one convolution, to do by hand"),
    "three_convs": About((39, 39, 3), "three convolutions, a linear head"),
    "conv_blocks": About((224, 224, 3), "three blocks, batch norm, dropout"),
    **{f"vgg{depth}": About((224, 224, 3), "Simonyan & Zisserman 2015") for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": About((224, 224, 3), "the same with batch norm") for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": About((32, 32, 3), "He et al. 2016, for CIFAR-10") for depth in (20, 32, 44, 56)},
    **{f"resnet{depth}": About((224, 224, 3), "He et al. 2016, for ImageNet") for depth in (18, 34, 50)},
}


def create(name: str, classes: int | None = None) -> Layer:
    """The model called `name` with `classes` outputs, or as many as it was published with.

    FILE.py:FUNCTION is a network of your own, see `jaxcnn.models.custom`: that file is run.

    Raises ValueError with the nearest name if there is no such model, and for a file that can't be run or gives none.
    """
    if custom.is_file(name):
        return custom.read(name).network(classes)
    one_of("create", "model", name, MODELS)
    return MODELS[name]() if classes is None else MODELS[name](classes)


__all__ = [
    "ABOUT",
    "MODELS",
    "About",
    "cifar_small",
    "conv_blocks",
    "create",
    "lenet5",
    "resnet",
    "resnet_cifar",
    "three_convs",
    "two_filters",
    "vgg",
]
