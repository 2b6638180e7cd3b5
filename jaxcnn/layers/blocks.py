"""Blocks that networks are built of, as compositions of layers."""

from jaxcnn.layers.combine import Branches, Chain, chain, gated
from jaxcnn.layers.linear import Conv, Dense, DepthwiseConv
from jaxcnn.layers.pointwise import Activation
from jaxcnn.layers.shape import GlobalAvgPool
from jaxcnn.ops.arguments import explained
from jaxcnn.ops.geometry import Padding, PerAxis, count
from jaxcnn.ops.pad import Mode


@explained
def separable_conv(
    features: int,
    size: PerAxis = 3,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    multiplier: int = 1,
    use_bias: bool = True,
    padding_mode: Mode = "zeros",
) -> Chain:
    """A window over each channel by itself, then a 1×1 convolution that mixes the channels.

    With T taps and a multiplier of 1 it takes 1 / features + 1 / T of the multiply-adds of `Conv(features, size)`
    (Howard et al. 2017, "MobileNets", section 3.1; the idea is that of Sifre & Mallat 2014). As Keras's SeparableConv:
    nothing between the two, and one bias behind them.
    """
    return chain(
        depthwise=DepthwiseConv(size, stride, padding, dilation, multiplier, use_bias=False, padding_mode=padding_mode),
        pointwise=Conv(features, 1, use_bias=use_bias),
    )


@explained
def squeeze_excite(
    channels: int, reduction: int = 16, *, hidden: int | None = None, activation: str = "relu", gate: str = "sigmoid"
) -> Branches:
    """x · σ(W relu(V mean(x))): every channel times a factor that the whole image decides (Hu et al. 2018, equation 4).

    `channels` are those of the input; between the two dense layers there are `hidden`, by default channels //
    reduction, at least 1. `activation` stands in the place of relu, and `gate` in that of σ.
    """
    count("squeeze_excite", "channels", channels)
    count("squeeze_excite", "reduction", reduction)
    if hidden is None:
        hidden = max(1, channels // reduction)
    return gated(
        chain(
            squeeze=GlobalAvgPool(),
            reduce=Dense(hidden),
            **{activation: Activation(activation)},
            expand=Dense(channels, initializer="glorot_normal"),
            **{gate: Activation(gate)},
        )
    )
