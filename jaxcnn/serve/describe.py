"""What there is to know of a model, in words and numbers."""

import jax
import jax.numpy as jnp

from jaxcnn.layers import intermediates, summary
from jaxcnn.layers.walk import paths
from jaxcnn.serve.answers import LayerFacts
from jaxcnn.train.model import Model


def layers(model: Model) -> list[LayerFacts]:
    """Each layer and each block with the shape of its output, in the order in which they are defined."""
    named = list(paths(model.network))
    x = jax.ShapeDtypeStruct((1, *model.image_shape), jnp.float32)
    outputs = jax.eval_shape(lambda x: intermediates(model.network, model.params, model.state, x, named), x)
    rows = {row.path: row for row in summary(model.network, model.image_shape).rows}
    return [
        LayerFacts(
            path=path,
            shape=list(outputs[path].shape[1:]),
            kind=rows[path].kind if path in rows else None,
            parameters=rows[path].trainable + rows[path].fixed if path in rows else None,
            multiply_adds=rows[path].multiply_adds if path in rows else None,
        )
        for path in named
    ]


def shown(name: str) -> str:
    """A class's name in characters that UTF-8 has: of a folder whose name is no UTF-8 the other bytes are \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
