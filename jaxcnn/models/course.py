"""The small networks that courses on convolutional networks work through by hand."""

from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, Layer, MaxPool, chain


def two_filters(filters: int = 2) -> Layer:
    """One convolution, two 3×3 filters, stride 2, padding 1: 5×5×3 to 3×3×2, small enough to do by hand."""
    return chain(conv=Conv(filters, stride=2, padding=1))


def three_convs(classes: int = 10, *, head: str = "logits") -> Layer:
    """39×39×3 → 37×37×10 → 17×17×20 → 7×7×40 → 1,960 features → a linear head.

    The convolutions are 3×3, then 5×5 with stride 2 twice, without padding. `head` as in `with_head`.
    """
    layers: dict[str, Layer] = {
        "conv1": Conv(10, 3, padding="VALID"),
        "relu1": Activation("relu"),
        "conv2": Conv(20, 5, stride=2, padding="VALID"),
        "relu2": Activation("relu"),
        "conv3": Conv(40, 5, stride=2, padding="VALID"),
        "relu3": Activation("relu"),
        "flatten": Flatten(),
    }
    return with_head(layers, classes, head)


def conv_blocks(classes: int = 10, *, head: str = "logits", width: int = 32, blocks: int = 3) -> Layer:
    """Blocks of conv, relu, conv, relu, 2×2 max pooling, batch norm, dropout; then a dense head.

    For 224×224×3: the first convolution has 896 parameters, the second 9,248, its batch norm 128, half of them
    not trainable, and pooling halves 224 to 112. The width doubles from block to block. `head` as in `with_head`.
    """
    layers: dict[str, Layer] = {}
    for block in range(1, blocks + 1):
        features = width * 2 ** (block - 1)
        layers |= {
            f"conv{block}_1": Conv(features),
            f"relu{block}_1": Activation("relu"),
            f"conv{block}_2": Conv(features),
            f"relu{block}_2": Activation("relu"),
            f"pool{block}": MaxPool(2),
            f"bn{block}": BatchNorm(),
            f"dropout{block}": Dropout(0.25),
        }
    layers |= {
        "flatten": Flatten(),
        "dense": Dense(128),
        "relu": Activation("relu"),
        "dropout": Dropout(0.5),
    }
    return with_head(layers, classes, head)


def with_head(layers: dict[str, Layer], classes: int, head: str) -> Layer:
    """`layers` and a dense layer of `classes` outputs.

    `head="logits"` ends there, which is what the losses take; "softmax" adds probabilities that sum to 1, and
    "sigmoid" one probability for each class alone (logistic regression; `classes=1` for a yes-or-no question).
    """
    if head not in ("logits", "softmax", "sigmoid"):
        raise ValueError(f'head is {head!r}; expected "logits", "softmax" or "sigmoid".')
    layers = layers | {"head": Dense(classes)}
    return chain(**layers if head == "logits" else layers | {head: Activation(head)})
