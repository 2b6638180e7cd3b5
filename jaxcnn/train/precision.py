"""What a training step computes in, while parameters, statistics and the loss stay float32."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn import layers
from jaxcnn.layers import Layer, Params
from jaxcnn.layers.walk import Around, layer_of, leaves

Precision = Literal["float32", "bfloat16", "mixed", "float16"]
NORMS = (layers.BatchNorm, layers.GroupNorm, layers.InstanceNorm, layers.LayerNorm, layers.RMSNorm)


def computed_in(precision: Precision, network: Layer, params: Params, x: Array) -> tuple[Params, Array]:
    """The parameters and the images as a step computes with them.

    "mixed" rounds images, kernels and biases to bfloat16, and so all activations; the vectors of the norms stay
    float32, as do their sums and statistics (Micikevicius et al. 2018, "Mixed precision training", section 3.1, keeps
    a float32 copy of what is trained in the same way). "bfloat16" rounds the norms' vectors as well. "float16" is
    "mixed" with float16 in bfloat16's place: three more bits, but so small a range that it needs a `LossScale`.
    """
    if precision == "float32":
        return params, x
    norms = {
        path
        for path, layer in leaves(network)
        if isinstance(layer.layer if isinstance(layer, Around) else layer, NORMS)
    }
    kept = set() if precision == "bfloat16" else norms
    dtype = jnp.float16 if precision == "float16" else jnp.bfloat16

    def rounded(path: tuple[Any, ...], leaf: Array) -> Array:
        return leaf if layer_of(path) in kept else leaf.astype(dtype)

    return jax.tree.map_with_path(rounded, params), x.astype(dtype)
