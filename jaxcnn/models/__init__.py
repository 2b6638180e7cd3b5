"""Networks by name. Each function returns a layer."""

from collections.abc import Callable
from functools import partial

from jaxcnn.layers import Layer
from jaxcnn.layers.base import one_of
from jaxcnn.models import custom
from jaxcnn.models.about import ABOUT, About
from jaxcnn.models.cifar import cifar_small
from jaxcnn.models.convnext import VARIANTS, convnext
from jaxcnn.models.course import conv_blocks, three_convs, two_filters
from jaxcnn.models.densenet import densenet
from jaxcnn.models.efficientnet import SCALES, efficientnet
from jaxcnn.models.lenet import lenet5
from jaxcnn.models.mobilenet import mobilenet_v2, mobilenet_v3
from jaxcnn.models.resnet import resnet, resnet_cifar
from jaxcnn.models.segmentation import fcn_resnet50, unet
from jaxcnn.models.squeezenet import squeezenet
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
    **{f"resnet{depth}": partial(resnet, depth) for depth in (18, 34, 50, 101, 152)},
    "wide_resnet50_2": partial(resnet, 50, inner=2.0),
    "resnext50_32x4d": partial(resnet, 50, groups=32, inner=2.0),
    **{
        f"keras_resnet{depth}": partial(resnet, depth, stride_in="conv1", use_bias=True, epsilon=1.001e-5)
        for depth in (50, 101, 152)
    },
    **{f"densenet{depth}": partial(densenet, depth) for depth in (121, 169, 201)},
    **{f"keras_densenet{depth}": partial(densenet, depth, epsilon=1.001e-5) for depth in (121, 169, 201)},
    "squeezenet1_1": squeezenet,
    "mobilenet_v2": mobilenet_v2,
    "tf_mobilenet_v2": partial(mobilenet_v2, epsilon=1e-3, padding="SAME"),
    **{f"mobilenet_v3_{size}": partial(mobilenet_v3, size) for size in ("small", "large")},
    **{f"mobilenetv3_{size}_100": partial(mobilenet_v3, size, epsilon=1e-5) for size in ("small", "large")},
    **{f"tf_mobilenetv3_{size}_100": partial(mobilenet_v3, size, padding="SAME") for size in ("small", "large")},
    **{f"efficientnet_{variant}": partial(efficientnet, variant) for variant in SCALES},
    **{f"tf_efficientnet_b{n}": partial(efficientnet, f"b{n}", epsilon=1e-3, padding="SAME") for n in range(5)},
    **{f"convnext_{variant}": partial(convnext, variant) for variant in VARIANTS},
    "unet": unet,
    "fcn_resnet50": fcn_resnet50,
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
    "convnext",
    "create",
    "densenet",
    "efficientnet",
    "fcn_resnet50",
    "lenet5",
    "mobilenet_v2",
    "mobilenet_v3",
    "resnet",
    "resnet_cifar",
    "squeezenet",
    "three_convs",
    "two_filters",
    "unet",
    "vgg",
]
