"""Activations, and dropout."""

import math

import numpy as np

from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import channels, decimal, operator
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.interop.onnx.tree import Clip, Erf
from jaxcnn.layers import Activation, Dropout, PReLU

NAMES = {
    "Relu": "relu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "HardSwish": "hard_swish",
    "Mish": "mish",
}


@operator(*NAMES)
def activation(r: Reader, node: Node) -> None:
    """One that has no options."""
    r.layer(node, Activation(NAMES[node.op]))


@operator("LeakyRelu", "Elu", "HardSigmoid", "Gelu", "Swish")
def activation_with_options(r: Reader, node: Node) -> None:
    """ONNX's defaults are not always ours."""
    o = node.options
    match node.op:
        case "LeakyRelu":
            made = Activation("leaky_relu", {"slope": decimal(o.get("alpha", 0.01))})
        case "Elu":
            made = Activation("elu", {"alpha": decimal(o.get("alpha", 1.0))})
        case "HardSigmoid":
            made = hard_sigmoid(o.get("alpha", 0.2), o.get("beta", 0.5))
        case "Gelu":
            made = Activation("gelu", {"approximate": o.get("approximate", "none") == "tanh"})
        case _:
            made = Activation("silu")
            if o.get("alpha", 1.0) != 1:
                raise node.refused("has an alpha other than 1.")
    r.layer(node, made)


@operator("PRelu")
def prelu(r: Reader, node: Node) -> None:
    """A slope for each channel, or one for all."""
    r.layer(node, PReLU(), params={"slope": r.by_channel(node, 1, "its slope")})


def hard_sigmoid(slope: float, offset: float) -> Activation:
    """Our own default where it is that: a sixth, as a float32."""
    sixth = math.isclose(slope, 1 / 6, rel_tol=1e-6)
    return Activation("hard_sigmoid", {"slope": 1 / 6 if sixth else decimal(slope), "offset": decimal(offset)})


@operator("Softmax", "LogSoftmax")
def softmax(r: Reader, node: Node) -> None:
    """Over the channels. Up to operator set 12 it went over all axes from the given one on."""
    x = r.rows(node) if len(r.value(node).axes) == 2 else r.value(node)
    rank = len(x.axes)
    axis = node.options.get("axis", -1 if r.opset >= 13 else 1) % rank
    if not x.flat or axis != 1:
        channels(node, x, axis)
    if r.opset < 13 and any(x.longer(place) for place in range(axis + 1, rank)):
        raise node.refused(f"goes over all places of an array of the shape {x.shape}; expected its channels alone.")
    r.layer(node, Activation({"Softmax": "softmax", "LogSoftmax": "log_softmax"}[node.op]))


@operator("Clip")
def clip(r: Reader, node: Node) -> None:
    """Held between two numbers, either of which may be left out."""
    ends = []
    for place, (name, default) in enumerate((("min", -math.inf), ("max", math.inf)), 1):
        found = r.optional(node, place, f"its {name}")
        ends.append(float(node.options.get(name, default) if found is None else found.item()))
    largest = float(np.finfo(np.float32).max)
    low, high = (math.copysign(math.inf, end) if abs(end) >= largest else end for end in ends)
    if (low, high) == (-math.inf, math.inf):
        r.same(node)
    else:
        r.layer(node, Activation("relu") if (low, high) == (0, math.inf) else Clip(low, high))


@operator("Erf")
def erf(r: Reader, node: Node) -> None:
    """Of a GELU that is written out, which `rewrite` puts together."""
    r.layer(node, Erf())


@operator("Dropout")
def dropout(r: Reader, node: Node) -> None:
    """As it is in training; of a share of 0 it is left out."""
    rate = r.optional(node, 1, "its ratio")
    share = float(node.options.get("ratio", 0.5) if rate is None else rate.item())
    if 0 < share < 1:
        r.layer(node, Dropout(decimal(share)))
    else:
        r.same(node)
