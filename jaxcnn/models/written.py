"""A network as a file of Python that builds it, such as one that was read from a file of another format.

That is what a run or a model folder keeps of a network that is not in `MODELS` (`models.custom`).
"""

import re
from dataclasses import replace

from jaxcnn import layers
from jaxcnn.layers import Conv, Dense, Layer
from jaxcnn.layers.combine import Chain, Combinator
from jaxcnn.layers.walk import Path, changed, leaves

CLASSES = 987654321  # stands for the number of classes until the text is there
FUNCTION = "network"


def written(network: Layer) -> str:
    """The file, whose function `network(classes)` makes an equal network: for `jaxcnn train --model FILE.py:network`.

    The last dense or convolutional layer gets as many features as there are classes, by default its own number.

    Raises: ValueError for a network with a layer that is not in `jaxcnn.layers`, and for one whose parts have names
      that can't be written as arguments.
    """
    sized = [(path, layer) for path, layer in leaves(network) if isinstance(layer, Conv | Dense)]
    last, default = (sized[-1][0], sized[-1][1].features) if sized else (None, None)

    def marked(path: Path, layer: Layer) -> Layer:
        return replace(layer, features=CLASSES) if isinstance(layer, Conv | Dense) and path == last else layer

    text = _text(changed(network, marked))
    kinds = sorted(set(re.findall(r"\b([A-Za-z_]\w*)\(", text)))
    if unknown := [kind for kind in kinds if kind not in layers.__all__]:
        raise ValueError(f"written: the network has a layer {unknown[0]}, which is not in jaxcnn.layers.")
    return (
        f"from jaxcnn.layers import {', '.join(kinds)}\n\n\n"
        f"def {FUNCTION}(classes={default}):\n    return {text.replace(str(CLASSES), 'classes')}\n"
    )


def _text(layer: Layer, indent: str = "    ") -> str:
    """The expression that makes the layer, each part of a combinator on a line of its own."""
    if not isinstance(layer, Combinator) or not layer.parts:
        return repr(layer)
    lines = []
    for name, part in layer.parts:
        if not name.isidentifier():
            raise ValueError(f"written: a layer is called {name!r}, which can't be written as an argument's name.")
        lines.append(f"{indent}    {name}={_text(part, indent + '    ')},\n")
    kind = "chain" if isinstance(layer, Chain) else repr(replace(layer, parts=())).removesuffix("()")
    return f"{kind}(\n{''.join(lines)}{indent})"
