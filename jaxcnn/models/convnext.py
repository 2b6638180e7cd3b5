"""ConvNeXt: a ResNet with what vision transformers have taught (Liu, Mao, Wu, Feichtenhofer, Darrell & Xie 2022)."""

from jaxcnn.layers import (
    Activation,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    LayerScale,
    StochasticDepth,
    chain,
    residual,
)

# Blocks in each of the four stages, the first one's channels, and the rate of stochastic depth in the last block.
VARIANTS = {"tiny": ((3, 3, 9, 3), 96, 0.1), "small": ((3, 3, 27, 3), 96, 0.4)}


def convnext(variant: str, classes: int = 1000, *, width: int | None = None) -> Layer:
    """ConvNeXt "tiny" (28,589,128 parameters) or "small" (50,223,688); images of 32×32 or more.

    `width` is the first of four stages', by default 96; each next stage's is twice that. Layer norm's epsilon is 1e-6.
    """
    if variant not in VARIANTS:
        raise ValueError(f"convnext: variant is {variant!r}; expected one of {', '.join(VARIANTS)}.")
    blocks, published, most = VARIANTS[variant]
    width = published if width is None else width
    layers: dict[str, Layer] = {"conv": Conv(width, 4, stride=4, padding="VALID"), "ln": LayerNorm(1e-6)}
    done = 0
    for stage, count in enumerate(blocks, 1):
        if stage > 1:
            width *= 2
            layers[f"down{stage}"] = chain(ln=LayerNorm(1e-6), conv=Conv(width, 2, stride=2, padding="VALID"))
        for block in range(1, count + 1):
            layers[f"block{stage}_{block}"] = residual(_body(width, most * done / (sum(blocks) - 1)))
            done += 1
    return chain(**layers, pool=GlobalAvgPool(), ln_last=LayerNorm(1e-6), head=Dense(classes))


def _body(width: int, drop: float) -> Layer:
    """A wide window in each channel by itself, then at each place two dense layers, as 1×1 convolutions (figure 4)."""
    return chain(
        depthwise=DepthwiseConv(7, padding=3),
        ln=LayerNorm(1e-6),
        expand=Conv(4 * width, 1),
        gelu=Activation("gelu"),
        project=Conv(width, 1),
        scale=LayerScale(1e-6),
        **({"drop": StochasticDepth(drop)} if drop else {}),
    )
