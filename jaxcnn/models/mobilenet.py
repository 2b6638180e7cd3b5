"""MobileNet V2 and V3: depthwise convolutions between thin layers that the shortcuts join."""

from typing import Literal, NamedTuple

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Layer,
    StochasticDepth,
    chain,
    residual,
    squeeze_excite,
)
from jaxcnn.ops.geometry import Padding


class Excite(NamedTuple):
    """A squeeze-and-excitation: the channels that it is squeezed to, its activation, and what makes it a factor."""

    hidden: int
    activation: str
    gate: str


def inverted_residual(
    channels: int,
    expanded: int,
    features: int,
    size: int,
    stride: int,
    *,
    activation: str,
    norm: BatchNorm,
    padding: Padding | None = None,
    excite: Excite | None = None,
    drop: float = 0.0,
) -> Layer:
    """1×1 to `expanded` channels, a depthwise window, 1×1 to few `features`, with a shortcut where shapes agree.

    It is called body, with and without shortcut. Where `expanded` are the `channels` of the input the first convolution
    is left out. `padding` is by default half the
    window; `drop` is the rate at which the body is left out in training (Huang et al. 2016).
    Source: Sandler et al. 2018, "MobileNetV2: Inverted residuals and linear bottlenecks", figure 3.
    """
    layers: dict[str, Layer] = {}
    if expanded != channels:
        layers |= {"expand": Conv(expanded, 1, use_bias=False), "bn1": norm, "act1": Activation(activation)}
    pads = size // 2 if padding is None else padding
    layers |= {
        "depthwise": DepthwiseConv(size, stride, pads, use_bias=False),
        "bn2": norm,
        "act2": Activation(activation),
    }
    if excite is not None:
        layers["se"] = squeeze_excite(expanded, **excite._asdict())
    layers |= {"project": Conv(features, 1, use_bias=False), "bn3": norm}
    if stride != 1 or channels != features:
        return chain(body=chain(**layers))
    if drop:
        layers["drop"] = StochasticDepth(drop)
    return residual(chain(**layers))


def rounded(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to so many channels, or the next above it where that is less than 0.9 of them.

    Source: the reference code of MobileNet ("make_divisible").
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


# Expansion, channels, blocks and the first one's stride (table 2).
V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(
    classes: int = 1000,
    *,
    multiplier: float = 1.0,
    epsilon: float = 1e-5,
    padding: Literal["symmetric", "SAME"] = "symmetric",
) -> Layer:
    """MobileNet V2, with 3,504,872 parameters; images of 32×32 or more.

    `multiplier` times the published channels, rounded to a multiple of 8; the last convolution's 1,280 don't become
    fewer. `epsilon` and `padding` are batch norm's and the strided convolutions', with which the weights were trained:
    torchvision's 1e-5 and half a window; TensorFlow's weights have 1e-3 and SAME, which pads an even image on one side.
    Source: Sandler et al. 2018.
    """
    norm = BatchNorm(epsilon=epsilon)
    channels = rounded(32 * multiplier)
    layers: dict[str, Layer] = {
        "conv": Conv(channels, 3, stride=2, padding=1 if padding == "symmetric" else "SAME", use_bias=False),
        "bn": norm,
        "act": Activation("relu6"),
    }
    for stage, (expansion, published, blocks, first) in enumerate(V2, 1):
        features = rounded(published * multiplier)
        for block in range(1, blocks + 1):
            stride = first if block == 1 else 1
            layers[f"block{stage}_{block}"] = inverted_residual(
                channels,
                expansion * channels,
                features,
                3,
                stride,
                activation="relu6",
                norm=norm,
                padding=None if padding == "symmetric" else "SAME",
            )
            channels = features
    last = rounded(1280 * max(1.0, multiplier))
    return chain(
        **layers,
        conv_last=Conv(last, 1, use_bias=False),
        bn_last=norm,
        act_last=Activation("relu6"),
        pool=GlobalAvgPool(),
        dropout=Dropout(0.2),
        head=Dense(classes),
    )


# Window, expanded channels, channels, squeeze-and-excitation, activation (relu or hard swish), stride (tables 1, 2).
V3 = {
    "large": (
        (3, 16, 16, False, "RE", 1),
        (3, 64, 24, False, "RE", 2),
        (3, 72, 24, False, "RE", 1),
        (5, 72, 40, True, "RE", 2),
        (5, 120, 40, True, "RE", 1),
        (5, 120, 40, True, "RE", 1),
        (3, 240, 80, False, "HS", 2),
        (3, 200, 80, False, "HS", 1),
        (3, 184, 80, False, "HS", 1),
        (3, 184, 80, False, "HS", 1),
        (3, 480, 112, True, "HS", 1),
        (3, 672, 112, True, "HS", 1),
        (5, 672, 160, True, "HS", 2),
        (5, 960, 160, True, "HS", 1),
        (5, 960, 160, True, "HS", 1),
    ),
    "small": (
        (3, 16, 16, True, "RE", 2),
        (3, 72, 24, False, "RE", 2),
        (3, 88, 24, False, "RE", 1),
        (5, 96, 40, True, "HS", 2),
        (5, 240, 40, True, "HS", 1),
        (5, 240, 40, True, "HS", 1),
        (5, 120, 48, True, "HS", 1),
        (5, 144, 48, True, "HS", 1),
        (5, 288, 96, True, "HS", 2),
        (5, 576, 96, True, "HS", 1),
        (5, 576, 96, True, "HS", 1),
    ),
}
HIDDEN = {"large": 1280, "small": 1024}  # of the dense layer before the head


def mobilenet_v3(
    size: Literal["large", "small"],
    classes: int = 1000,
    *,
    multiplier: float = 1.0,
    epsilon: float = 1e-3,
    padding: Literal["symmetric", "SAME"] = "symmetric",
) -> Layer:
    """MobileNet V3, with 5,483,032 (large) or 2,542,856 (small) parameters, as torchvision has it.

    Images of 32×32 or more. `multiplier` times the published channels, rounded to a multiple of 8. `epsilon` and
    `padding` are batch norm's and the strided convolutions', with which the weights were trained: torchvision's 1e-3
    and half a window; timm's mobilenetv3_large_100 has 1e-5; TensorFlow's weights have 1e-3 and SAME, which pads an
    even image on one side. Source: Howard et al. 2019, "Searching for MobileNetV3".
    """
    if size not in V3:
        raise ValueError(f'mobilenet_v3: size is {size!r}; expected "large" or "small".')
    norm = BatchNorm(momentum=0.99, epsilon=epsilon)
    channels = rounded(16 * multiplier)
    layers: dict[str, Layer] = {
        "conv": Conv(channels, 3, stride=2, padding=1 if padding == "symmetric" else "SAME", use_bias=False),
        "bn": norm,
        "act": Activation("hard_swish"),
    }
    for number, (window, published, out, excited, kind, stride) in enumerate(V3[size], 1):
        expanded, features = rounded(published * multiplier), rounded(out * multiplier)
        layers[f"block{number}"] = inverted_residual(
            channels,
            expanded,
            features,
            window,
            stride,
            activation={"RE": "relu", "HS": "hard_swish"}[kind],
            norm=norm,
            padding=None if padding == "symmetric" else "SAME",
            excite=Excite(rounded(expanded / 4), "relu", "hard_sigmoid") if excited else None,
        )
        channels = features
    return chain(
        **layers,
        conv_last=Conv(6 * channels, 1, use_bias=False),
        bn_last=norm,
        act_last=Activation("hard_swish"),
        pool=GlobalAvgPool(),
        hidden=Dense(rounded(HIDDEN[size] * multiplier)),
        act_hidden=Activation("hard_swish"),
        dropout=Dropout(0.2),
        head=Dense(classes),
    )
