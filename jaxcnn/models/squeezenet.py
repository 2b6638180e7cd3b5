"""SqueezeNet: AlexNet's accuracy from a fiftieth of its parameters (Iandola et al. 2016)."""

from jaxcnn.layers import Activation, Conv, Dropout, GlobalAvgPool, Layer, MaxPool, chain, concat

# Of each fire module the channels that are squeezed to, and half of those that come out; None is pooling (version 1.1).
FIRES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))


def squeezenet(classes: int = 1000, *, width: int = 64) -> Layer:
    """SqueezeNet 1.1, with 1,235,496 parameters; images of 21×21 or more. It ends in a convolution and a mean.

    `width` is the first convolution's; the fire modules' follow. Version 1.1 needs 2.4 times less computation than the
    paper's 1.0 (the authors' repository). Pooling keeps what no window would reach at the border (`ceil_mode`).
    """
    layers: dict[str, Layer] = {}
    pools, fires = 1, 1
    for sizes in FIRES:
        if sizes is None:
            pools += 1
            layers[f"pool{pools}"] = MaxPool(3, stride=2, ceil_mode=True)
        else:
            fires += 1  # the paper counts the first convolution
            squeezed, expanded = (max(1, size * width // 64) for size in sizes)
            layers[f"fire{fires}"] = _fire(squeezed, expanded)
    return chain(
        conv=Conv(width, 3, stride=2, padding="VALID"),
        relu=Activation("relu"),
        pool1=MaxPool(3, stride=2, ceil_mode=True),
        **layers,
        dropout=Dropout(0.5),
        head=chain(conv=Conv(classes, 1), relu=Activation("relu"), pool=GlobalAvgPool()),
    )


def _fire(squeezed: int, expanded: int) -> Layer:
    """1×1 convolutions to few channels, then 1×1 and 3×3 ones side by side to many (section 3.2)."""
    return chain(
        squeeze=Conv(squeezed, 1),
        squeeze_relu=Activation("relu"),
        expand=concat(conv1=Conv(expanded, 1), conv3=Conv(expanded, 3, padding=1)),
        relu=Activation("relu"),
    )
