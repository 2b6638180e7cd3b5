"""Networks that give every pixel a class: U-Net, and fully convolutional heads."""

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    Layer,
    MaxPool,
    Resize,
    chain,
    concat,
)
from jaxcnn.models.resnet import resnet


def unet(classes: int = 2, *, width: int = 64, depth: int = 4) -> Layer:
    """U-Net: down `depth` times, and up again beside what was there on the way down. Logits (n, h, w, classes).

    `width` is the first level's; each next one has twice as many channels. With SAME padding, where the paper has none,
    what comes out is as large as the images, whose sides must be multiples of 2 to the power `depth`; batch norm is not
    in the paper, either. 31,037,698 parameters with 3 colours. Source: Ronneberger, Fischer & Brox 2015, figure 1.
    """
    if depth < 1:
        raise ValueError(f"unet: depth is {depth!r}; expected 1 or more.")
    return chain(**_level(width, depth), head=Conv(classes, 1))


def _level(width: int, depth: int) -> dict[str, Layer]:
    """Two convolutions; and where it goes deeper all below them, beside their output, and two convolutions more."""
    if depth == 0:
        return {"down": _twice(width)}
    below = chain(pool=MaxPool(2), **_level(2 * width, depth - 1), grow=ConvTranspose(width, 2, stride=2))
    return {"down": _twice(width), "join": concat(across=chain(), below=below), "up": _twice(width)}


def _twice(width: int) -> Layer:
    return chain(
        conv1=Conv(width, use_bias=False),
        bn1=BatchNorm(),
        relu1=Activation("relu"),
        conv2=Conv(width, use_bias=False),
        bn2=BatchNorm(),
        relu2=Activation("relu"),
    )


def fcn_resnet50(classes: int = 21, *, width: int = 64) -> Layer:
    """A fully convolutional head on a ResNet-50 whose last two stages are dilated. Logits (n, h, w, classes).

    What comes out of the last stage is an eighth of the image, whose sides must be multiples of 8; it is made larger
    bilinearly. 32,957,013 parameters, torchvision's without its auxiliary head. Source: Long, Shelhamer & Darrell 2015.
    """
    inner = 8 * width  # a quarter of the last stage's channels
    head = chain(
        conv=Conv(inner, padding=1, use_bias=False),
        bn=BatchNorm(),
        relu=Activation("relu"),
        dropout=Dropout(0.1),
        score=Conv(classes, 1),
        resize=Resize(8, method="bilinear"),
    )
    return resnet(50, width=width, dilated=2, head=head)
