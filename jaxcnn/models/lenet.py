"""LeNet-5, the network that read the cheques."""

from jaxcnn.layers import Activation, AvgPool, Conv, Dense, Flatten, Layer, MaxPool, chain
from jaxcnn.ops.geometry import Padding


def lenet5(classes: int = 10, *, padding: Padding = "SAME", activation: str = "relu", pool: str = "max") -> Layer:
    """LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998), as it is built today: relu and max pooling.

    `padding="VALID"`, `activation="tanh"`, `pool="avg"` on 32×32×1 images is the paper's network but for its C3
    connection table and its RBF output: 61,706 parameters. With "SAME" any image of 4×4 pixels or more will do.
    """
    if pool not in ("max", "avg"):
        raise ValueError(f'lenet5: pool is {pool!r}; expected "max" or "avg".')
    pooling = MaxPool(2) if pool == "max" else AvgPool(2)
    act = Activation(activation)
    return chain(
        conv1=Conv(6, 5, padding=padding),
        act1=act,
        pool1=pooling,
        conv2=Conv(16, 5, padding=padding),
        act2=act,
        pool2=pooling,
        flatten=Flatten(),
        dense1=Dense(120),
        act3=act,
        dense2=Dense(84),
        act4=act,
        head=Dense(classes),
    )
