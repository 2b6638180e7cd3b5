"""DenseNet: every layer of a block sees what all before it have made (Huang, Liu, van der Maaten & Weinberger 2017)."""

from jaxcnn.layers import Activation, AvgPool, BatchNorm, Conv, Dense, GlobalAvgPool, Layer, MaxPool, chain, concat

# Layers in each of the four blocks, and the growth rate (table 1).
BLOCKS = {121: ((6, 12, 24, 16), 32), 169: ((6, 12, 32, 32), 32), 201: ((6, 12, 48, 32), 32)}


def densenet(depth: int, classes: int = 1000, *, growth: int | None = None, epsilon: float = 1e-5) -> Layer:
    """DenseNet-BC of `depth` 121, 169 or 201; images of 32×32 or more. DenseNet-121 has 7,978,856 parameters.

    `growth` is the number of channels that a layer adds, the paper's k, by default 32; the first convolution has twice
    as many, a layer's 1×1 convolution four times (B), and between blocks half of the channels are left (C).
    `epsilon` is batch norm's, with which the weights were trained: torchvision's 1e-5; Keras has 1.001e-5.
    """
    if depth not in BLOCKS:
        raise ValueError(f"densenet: depth is {depth!r}; expected one of {', '.join(map(str, BLOCKS))}.")
    blocks, published = BLOCKS[depth]
    growth = published if growth is None else growth
    norm = BatchNorm(epsilon=epsilon)
    layers: dict[str, Layer] = {}
    channels = 2 * growth
    for block, count in enumerate(blocks, 1):
        for number in range(1, count + 1):
            layers[f"layer{block}_{number}"] = concat(before=chain(), new=_layer(growth, norm))
        channels += count * growth
        if block < len(blocks):
            channels //= 2
            layers[f"transition{block}"] = _transition(channels, norm)
    return chain(
        conv=Conv(2 * growth, 7, stride=2, padding=3, use_bias=False),
        bn=norm,
        relu=Activation("relu"),
        maxpool=MaxPool(3, stride=2, padding=1),
        **layers,
        bn_last=norm,
        relu_last=Activation("relu"),
        pool=GlobalAvgPool(),
        head=Dense(classes),
    )


def _layer(growth: int, norm: BatchNorm) -> Layer:
    return chain(
        bn1=norm,
        relu1=Activation("relu"),
        conv1=Conv(4 * growth, 1, use_bias=False),
        bn2=norm,
        relu2=Activation("relu"),
        conv2=Conv(growth, padding=1, use_bias=False),
    )


def _transition(channels: int, norm: BatchNorm) -> Layer:
    return chain(bn=norm, relu=Activation("relu"), conv=Conv(channels, 1, use_bias=False), pool=AvgPool(2))
