"""Batch norm as a part of the layer before it, for inference."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.combine import Chain, Combinator, chain
from jaxcnn.layers.linear import Conv, ConvTranspose, Dense, DepthwiseConv
from jaxcnn.layers.norm import BatchNorm
from jaxcnn.layers.pointwise import Dropout
from jaxcnn.layers.walk import Path, at, changed, leaves
from jaxcnn.ops.arguments import explained
from jaxcnn.primitive import promoting

Arrays = Mapping[str, Any]


@explained
def fold_batch_norm(network: Layer, params: Params, state: State) -> tuple[Layer, Params, State]:
    """The network without the batch norms that come right after a convolution or a dense layer, for inference.

    In evaluation a batch norm is γ (y - μ) / √(σ² + ε) + β = f y + β - f μ with f = γ / √(σ² + ε) for each channel,
    and y = k ∗ x + b is linear in k and b. So k becomes f k, and b becomes f b + β - f μ; the layer keeps its name, and
    has a bias then; where the batch norm was is the identity. The kernel may be depthwise, in groups, or that of a
    transposed convolution. Chains within chains count as one, and a dropout between the two does not matter. A batch
    norm that comes first in a branch, as DenseNet's, or after something else, such as pooling, stays.
    Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", section 3.2.

    Returns: (network, params, state) with the same logits in evaluation. To be trained further take those of before.
    """
    layers = dict(leaves(network))
    made: dict[Path, tuple[Layer, Params]] = {}
    for norm, path in list(_norms(network, (), [])):
        layer, own = made.get(path) or (layers[path], at(params, path))
        made[path] = _folded(layer, own, layers[norm], at(params, norm), at(state, norm))
        made[norm] = chain(), {}
    folded = changed(network, lambda path, layer: made[path][0] if path in made else layer)
    weights = {path: own for path, (_, own) in made.items()}
    return folded, _replaced(params, weights), _replaced(state, {path: {} for path in made})


def _norms(layer: Layer, path: Path, last: list[tuple[Path, Layer]]) -> Iterator[tuple[Path, Path]]:
    """(path of a batch norm, path of the layer whose output it gets and can be folded into), in order.

    `last` holds the layer whose output comes in, if nothing else gets that, and in the end the one whose output goes
    out.
    """
    if isinstance(layer, Chain):
        for name, part in layer.parts:
            yield from _norms(part, (*path, name), last)
    elif isinstance(layer, Combinator):
        for name, part in layer.parts:
            yield from _norms(part, (*path, name), [])
        last.clear()
    elif isinstance(layer, BatchNorm) and last and type(last[0][1]) in (Conv, DepthwiseConv, ConvTranspose, Dense):
        yield path, last[0][0]
    elif not isinstance(layer, Dropout):
        last[:] = [(path, layer)]


def _folded(layer: Any, own: Arrays, norm: Any, learned: Arrays, running: Arrays) -> tuple[Layer, Params]:
    """The layer with the batch norm in its kernel and bias."""
    kernel = own["kernel"]
    with promoting():
        factor = learned["scale"] * lax.rsqrt(running["var"] + norm.epsilon)
        bias = factor * (own.get("bias", 0) - running["mean"]) + learned["bias"]
        made = kernel * _by_output(layer, factor, kernel)
    return replace(layer, use_bias=True), {"kernel": made.astype(kernel.dtype), "bias": bias.astype(kernel.dtype)}


def _by_output(layer: Any, factor: Array, kernel: Array) -> Array:
    """A factor for each output channel, such that it broadcasts over the kernel."""
    if not isinstance(layer, ConvTranspose):
        return factor
    out, channels = kernel.shape[-2:]  # each group's input channels make that group's output channels
    return jnp.repeat(factor.reshape(layer.groups, out), channels // layer.groups, axis=0).T


def _replaced(tree: Mapping[str, Any], own: Mapping[Path, Arrays], path: Path = ()) -> dict[str, Any]:
    """Params or state with the layers' `own`, and without an entry for those that have none."""
    if path in own:
        return dict(own[path])
    made = {
        name: _replaced(part, own, (*path, name)) if isinstance(part, Mapping) else part for name, part in tree.items()
    }
    return {name: part for name, part in made.items() if not isinstance(part, Mapping) or part}
