"""VGG: stacks of 3×3 convolutions, the width doubled where pooling halves the image."""

from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, Layer, MaxPool, chain

# Convolutions in each of the five blocks, by depth (Simonyan & Zisserman 2015, table 1, columns A, B, D, E).
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (1, 2, 4, 8, 8)  # of the blocks, times the first one's


def vgg(depth: int, classes: int = 1000, *, batch_norm: bool = False, width: int = 64, hidden: int = 4096) -> Layer:
    """VGG with `depth` (11, 13, 16 or 19) layers with weights; images of 32×32 or more.

    `batch_norm` puts one after each convolution, whose bias then changes nothing; torchvision keeps it. `width` is the
    first block's, `hidden` that of the two dense layers: 4,096 in the paper; 512 suits 32×32 images.

    Source: Simonyan & Zisserman 2015.
    """
    if depth not in BLOCKS:
        raise ValueError(f"vgg: depth is {depth!r}; expected one of {', '.join(map(str, BLOCKS))}.")
    layers: dict[str, Layer] = {}
    for block, (convs, times) in enumerate(zip(BLOCKS[depth], WIDTHS, strict=True), 1):
        for conv in range(1, convs + 1):
            name = f"{block}_{conv}"
            layers[f"conv{name}"] = Conv(times * width)
            if batch_norm:
                layers[f"bn{name}"] = BatchNorm()
            layers[f"relu{name}"] = Activation("relu")
        layers[f"pool{block}"] = MaxPool(2)
    layers["flatten"] = Flatten()
    for dense in (1, 2):
        layers[f"dense{dense}"] = Dense(hidden)
        layers[f"relu_dense{dense}"] = Activation("relu")
        layers[f"dropout{dense}"] = Dropout(0.5)
    return chain(**layers, head=Dense(classes))
