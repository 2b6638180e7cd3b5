"""A network as StableHLO, the program that XLA compiles: a file that JAX runs anywhere, without jaxcnn."""

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct, export

from jaxcnn import kernels
from jaxcnn.layers import Layer, Params, State, dequantise

PLATFORMS = ("cpu", "cuda", "tpu")


def dump(network: Layer, params: Params, state: State, image_shape: tuple[int, ...]) -> bytes:
    """The network in evaluation with its weights, as `jax.export` serialises it, for a CPU, CUDA and a TPU alike.

    `jax.export.deserialize(file).call(images)` are the logits, in any process that has JAX: of images
    (n, *image_shape), float32, as the network takes them, n being open. None of jaxcnn's kernels is in it. JAX promises
    to read such a file for six months.

    Args:
      params: may hold `Int8` kernels (`layers.quantise`): they are kept in 8 bits.
    """
    params, state = jax.tree.map(jnp.asarray, (params, state))

    def logits(images: Array) -> Array:
        return network(dequantise(params), state, images)

    images = ShapeDtypeStruct((*export.symbolic_shape("n"), *image_shape), jnp.float32)
    with kernels.use("xla"):
        return bytes(export.export(jax.jit(logits), platforms=PLATFORMS)(images).serialize())
