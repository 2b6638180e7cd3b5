"""EfficientNet and its Lite variants: depth, width and image size grown together (Tan & Le 2019)."""

import math
from typing import Literal, NamedTuple

from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, GlobalAvgPool, Layer, chain
from jaxcnn.models.mobilenet import Excite, inverted_residual, rounded


class Scale(NamedTuple):
    """Factors of the channels and of the blocks of a stage, the image's side in pixels, and the dropout's rate."""

    width: float
    depth: float
    side: int
    dropout: float


# Tan & Le's reference code; of the Lite variants Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite".
SCALES = {
    "b0": Scale(1.0, 1.0, 224, 0.2),
    "b1": Scale(1.0, 1.1, 240, 0.2),
    "b2": Scale(1.1, 1.2, 260, 0.3),
    "b3": Scale(1.2, 1.4, 300, 0.3),
    "b4": Scale(1.4, 1.8, 380, 0.4),
    "lite0": Scale(1.0, 1.0, 224, 0.2),
    "lite1": Scale(1.0, 1.1, 240, 0.2),
    "lite2": Scale(1.1, 1.2, 260, 0.3),
    "lite3": Scale(1.2, 1.4, 280, 0.3),
    "lite4": Scale(1.4, 1.8, 300, 0.3),
}
# Window, expansion, channels, blocks, the first one's stride (table 1).
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)


def efficientnet(
    variant: str,
    classes: int = 1000,
    *,
    multiplier: float = 1.0,
    epsilon: float | None = None,
    padding: Literal["symmetric", "SAME"] | None = None,
) -> Layer:
    """EfficientNet "b0" to "b4", or "lite0" to "lite4"; images of 32×32 or more.

    The Lite ones have relu6 for silu, no squeeze-and-excitation, and a first and last stage that don't grow. They have
    5,288,548, 7,794,184, 9,109,994, 12,233,232 and 19,341,616 parameters; Lite 4,652,008, 5,416,680, 6,092,072,
    8,197,096 and 13,006,568.

    Args:
      multiplier: further factor of all channels.
      epsilon, padding: of batch norm and of the strided convolutions, with which the weights were trained. By default
        torchvision's 1e-5 and padding by half a window; TensorFlow's weights, and all of Lite, have 1e-3 and SAME,
        which pads an even image on one side.

    Raises: ValueError for another variant.
    """
    if variant not in SCALES:
        raise ValueError(f"efficientnet: variant is {variant!r}; expected one of {', '.join(SCALES)}.")
    lite, scale = variant.startswith("lite"), SCALES[variant]
    padding = padding or ("SAME" if lite else "symmetric")
    norm = BatchNorm(momentum=0.99, epsilon=(1e-3 if lite else 1e-5) if epsilon is None else epsilon)
    activation = "relu6" if lite else "silu"

    def width(channels: int, *, grows: bool = True) -> int:
        return rounded(channels * multiplier * (scale.width if grows else 1.0))

    counts = [
        blocks if lite and stage in (0, len(STAGES) - 1) else math.ceil(blocks * scale.depth)
        for stage, (*_, blocks, _) in enumerate(STAGES)
    ]
    channels = width(32, grows=not lite)
    layers: dict[str, Layer] = {
        "conv": Conv(channels, 3, stride=2, padding=1 if padding == "symmetric" else "SAME", use_bias=False),
        "bn": norm,
        "act": Activation(activation),
    }
    done = 0
    for stage, ((window, expansion, published, _, first), count) in enumerate(zip(STAGES, counts, strict=True), 1):
        features = width(published)
        for block in range(1, count + 1):
            layers[f"block{stage}_{block}"] = inverted_residual(
                channels,
                expansion * channels,
                features,
                window,
                first if block == 1 else 1,
                activation=activation,
                norm=norm,
                padding=None if padding == "symmetric" else "SAME",
                excite=None if lite else Excite(max(1, channels // 4), "silu", "sigmoid"),
                drop=0.2 * done / sum(counts),
            )
            channels, done = features, done + 1
    return chain(
        **layers,
        conv_last=Conv(width(1280, grows=not lite), 1, use_bias=False),
        bn_last=norm,
        act_last=Activation(activation),
        pool=GlobalAvgPool(),
        dropout=Dropout(scale.dropout),
        head=Dense(classes),
    )
