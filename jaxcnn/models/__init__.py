"""Networks by name. Each function returns a layer."""

from collections.abc import Callable
from functools import partial

from jaxcnn.layers import Layer
from jaxcnn.layers.base import one_of
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


def create(name: str, classes: int | None = None) -> Layer:
    """The model called `name` with `classes` outputs, or as many as it was published with.

    Raises ValueError with the nearest name if there is no such model.
    """
    one_of("create", "model", name, MODELS)
    return MODELS[name]() if classes is None else MODELS[name](classes)


__all__ = [
    "MODELS",
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
