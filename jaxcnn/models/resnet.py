"""Residual networks: a block learns what to add to its input (He, Zhang, Ren & Sun 2016)."""

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    GlobalAvgPool,
    Layer,
    MaxPool,
    chain,
    residual,
)

# Blocks in each of the four stages, and whether they are bottlenecks (table 1).
IMAGENET = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


def resnet_cifar(depth: int, classes: int = 10, *, width: int = 16) -> Layer:
    """The CIFAR networks of section 4.2: depth 6 n + 2, three stages of n blocks, widths 16, 32, 64.

    `width` is the first stage's; each next stage's is twice that. ResNet-20 has 0.27 M parameters. Where the width
    changes the shortcut is a 1×1 convolution (option B of the paper; its CIFAR experiments padded with zeros instead,
    option A, which has no parameters).
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"resnet_cifar: depth is {depth!r}; expected 6 n + 2, such as 20, 32, 44 or 56.")
    n = (depth - 2) // 6
    return chain(
        conv=Conv(width, use_bias=False),
        bn=BatchNorm(),
        relu=Activation("relu"),
        **_stages((n, n, n), width, bottleneck=False),
        pool=GlobalAvgPool(),
        head=Dense(classes),
    )


def resnet(
    depth: int,
    classes: int = 1000,
    *,
    width: int = 64,
    groups: int = 1,
    inner: float = 1.0,
    dilated: int = 0,
    head: Layer | None = None,
) -> Layer:
    """The ImageNet networks of table 1: depth 18 or 34 (basic blocks), or 50, 101 or 152 (bottlenecks).

    The stride of a bottleneck sits in its 3×3 convolution, as in PyTorch's torchvision ("ResNet v1.5"), not in
    its first 1×1. The parameter counts are torchvision's: 11,689,512, 21,797,672, 25,557,032, 44,549,160 and
    60,192,808.

    Args:
      width: channels of the first of four stages; each next stage has twice as many.
      groups, inner: of a bottleneck's 3×3 convolution: groups of channels, and its channels as a multiple of the
        stage's. ResNeXt-50 (32×4d) has 32 and 2 (Xie et al. 2017, table 1), Wide-ResNet-50-2 has 1 and 2 (Zagoruyko
        & Komodakis 2016, section 3.2).
      dilated: so many of the last stages keep the image's size, and their 3×3 convolutions look as far by dilation
        (Yu, Koltun & Funkhouser 2017), for segmentation.
      head: what follows the last stage, by default global average pooling and a dense layer to `classes`.

    Raises: ValueError for another depth, and for groups or other inner channels without bottlenecks.
    """
    if depth not in IMAGENET:
        raise ValueError(f"resnet: depth is {depth!r}; expected one of {', '.join(map(str, IMAGENET))}.")
    blocks, bottleneck = IMAGENET[depth]
    if not bottleneck and (groups, inner, dilated) != (1, 1, 0):
        raise ValueError(f"resnet: depth is {depth}, which has no bottlenecks for groups, inner and dilated; take 50.")
    return chain(
        conv=Conv(width, 7, stride=2, padding=3, use_bias=False),
        bn=BatchNorm(),
        relu=Activation("relu"),
        maxpool=MaxPool(3, stride=2, padding=1),
        **_stages(blocks, width, bottleneck=bottleneck, groups=groups, inner=inner, dilated=dilated),
        **({"pool": GlobalAvgPool(), "head": Dense(classes)} if head is None else {"head": head}),
    )


def _stages(
    blocks: tuple[int, ...],
    width: int,
    *,
    bottleneck: bool,
    groups: int = 1,
    inner: float = 1.0,
    dilated: int = 0,
) -> dict[str, Layer]:
    """`block1_1`, `relu1_1`, ...: each stage but the first is twice as wide and halves the image at once."""
    layers: dict[str, Layer] = {}
    width_in, dilation = width, 1
    for stage, count in enumerate(blocks, 1):
        for block in range(1, count + 1):
            first = stage > 1 and block == 1
            keeps = stage > len(blocks) - dilated
            stride = 2 if first and not keeps else 1
            width_out = 4 * width if bottleneck else width
            if bottleneck:
                body = _bottleneck(width_out, int(width * inner), stride, groups, dilation)
            else:
                body = _basic(width, stride)
            shortcut = _projection(width_out, stride) if width_in != width_out else chain()
            layers[f"block{stage}_{block}"] = residual(body, shortcut)
            layers[f"relu{stage}_{block}"] = Activation("relu")
            width_in = width_out
            dilation *= 2 if first and keeps else 1  # a stage's first block still sees what the one before it left
        width *= 2
    return layers


def _basic(width: int, stride: int) -> Layer:
    return chain(
        conv1=Conv(width, stride=stride, padding=1, use_bias=False),
        bn1=BatchNorm(),
        relu1=Activation("relu"),
        conv2=Conv(width, padding=1, use_bias=False),
        bn2=BatchNorm(),
    )


def _bottleneck(width: int, inner: int, stride: int, groups: int, dilation: int) -> Layer:
    """From `inner` channels to `width`."""
    middle = Conv(inner, stride=stride, padding=dilation, dilation=dilation, groups=groups, use_bias=False)
    return chain(
        conv1=Conv(inner, 1, use_bias=False),
        bn1=BatchNorm(),
        relu1=Activation("relu"),
        conv2=middle,
        bn2=BatchNorm(),
        relu2=Activation("relu"),
        conv3=Conv(width, 1, use_bias=False),
        bn3=BatchNorm(),
    )


def _projection(width: int, stride: int) -> Layer:
    return chain(conv=Conv(width, 1, stride=stride, use_bias=False), bn=BatchNorm())
