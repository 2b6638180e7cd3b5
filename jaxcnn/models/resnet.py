"""Residual networks: a block learns what to add to its input (He, Zhang, Ren & Sun 2016)."""

from typing import Literal, NamedTuple

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
        **_stages((n, n, n), width, Basic(BatchNorm())),
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
    stride_in: Literal["conv1", "conv2"] = "conv2",
    use_bias: bool = False,
    epsilon: float = 1e-5,
    head: Layer | None = None,
) -> Layer:
    """The ImageNet networks of table 1: depth 18 or 34 (basic blocks), or 50, 101 or 152 (bottlenecks).

    The parameter counts are torchvision's: 11,689,512, 21,797,672, 25,557,032, 44,549,160 and 60,192,808.

    Args:
      width: channels of the first of four stages; each next stage has twice as many.
      groups, inner: of a bottleneck's 3×3 convolution: groups of channels, and its channels as a multiple of the
        stage's. ResNeXt-50 (32×4d) has 32 and 2 (Xie et al. 2017, table 1), Wide-ResNet-50-2 has 1 and 2 (Zagoruyko
        & Komodakis 2016, section 3.2).
      dilated: so many of the last stages keep the image's size, and their 3×3 convolutions look as far by dilation
        (Yu, Koltun & Funkhouser 2017), for segmentation.
      stride_in: of a bottleneck's convolutions that with the stride: its 3×3, "conv2", as in torchvision ("ResNet
        v1.5"), or its first 1×1, "conv1", as in the paper and in Keras.
      use_bias, epsilon: of the convolutions, and of batch norm. Keras's weights have biases, and 1.001e-5.
      head: what follows the last stage, by default global average pooling and a dense layer to `classes`.

    Raises: ValueError for another depth, for groups, other inner channels and another stride_in without bottlenecks.
    """
    if depth not in IMAGENET:
        raise ValueError(f"resnet: depth is {depth!r}; expected one of {', '.join(map(str, IMAGENET))}.")
    blocks, bottleneck = IMAGENET[depth]
    if stride_in not in ("conv1", "conv2"):
        raise ValueError(f'resnet: stride_in is {stride_in!r}; expected "conv1" or "conv2".')
    if not bottleneck and (groups, inner, dilated, stride_in) != (1, 1, 0, "conv2"):
        options = "groups, inner, dilated and stride_in"
        raise ValueError(f"resnet: depth is {depth}, which has no bottlenecks for {options}; take 50.")
    norm = BatchNorm(epsilon=epsilon)
    kind = Bottleneck(norm, use_bias, groups, inner, stride_in) if bottleneck else Basic(norm, use_bias)
    return chain(
        conv=Conv(width, 7, stride=2, padding=3, use_bias=use_bias),
        bn=norm,
        relu=Activation("relu"),
        maxpool=MaxPool(3, stride=2, padding=1),
        **_stages(blocks, width, kind, dilated),
        **({"pool": GlobalAvgPool(), "head": Dense(classes)} if head is None else {"head": head}),
    )


class Basic(NamedTuple):
    """Two 3×3 convolutions (figure 5, left)."""

    norm: BatchNorm
    use_bias: bool = False

    def out(self, width: int) -> int:
        """The channels that a block of a stage of `width` makes."""
        return width

    def body(self, width: int, stride: int, dilation: int) -> Layer:
        return chain(
            conv1=Conv(width, stride=stride, padding=1, use_bias=self.use_bias),
            bn1=self.norm,
            relu1=Activation("relu"),
            conv2=Conv(width, padding=1, use_bias=self.use_bias),
            bn2=self.norm,
        )


class Bottleneck(NamedTuple):
    """1×1 to few channels, 3×3, and 1×1 to four times the stage's (figure 5, right)."""

    norm: BatchNorm
    use_bias: bool
    groups: int
    inner: float
    stride_in: str

    def out(self, width: int) -> int:
        """The channels that a block of a stage of `width` makes."""
        return 4 * width

    def body(self, width: int, stride: int, dilation: int) -> Layer:
        inner, use_bias = int(width * self.inner), self.use_bias
        first, second = (stride, 1) if self.stride_in == "conv1" else (1, stride)
        return chain(
            conv1=Conv(inner, 1, stride=first, use_bias=use_bias),
            bn1=self.norm,
            relu1=Activation("relu"),
            conv2=Conv(
                inner, stride=second, padding=dilation, dilation=dilation, groups=self.groups, use_bias=use_bias
            ),
            bn2=self.norm,
            relu2=Activation("relu"),
            conv3=Conv(4 * width, 1, use_bias=use_bias),
            bn3=self.norm,
        )


def _stages(blocks: tuple[int, ...], width: int, kind: Basic | Bottleneck, dilated: int = 0) -> dict[str, Layer]:
    """`block1_1`, `relu1_1`, ...: each stage but the first is twice as wide and halves the image at once."""
    layers: dict[str, Layer] = {}
    width_in, dilation = width, 1
    for stage, count in enumerate(blocks, 1):
        for block in range(1, count + 1):
            first = stage > 1 and block == 1
            keeps = stage > len(blocks) - dilated
            stride = 2 if first and not keeps else 1
            width_out = kind.out(width)
            projection = chain(conv=Conv(width_out, 1, stride=stride, use_bias=kind.use_bias), bn=kind.norm)
            shortcut = projection if width_in != width_out else chain()
            layers[f"block{stage}_{block}"] = residual(kind.body(width, stride, dilation), shortcut)
            layers[f"relu{stage}_{block}"] = Activation("relu")
            width_in = width_out
            dilation *= 2 if first and keeps else 1  # a stage's first block still sees what the one before it left
        width *= 2
    return layers
