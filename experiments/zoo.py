"""Are the handwritten gradients of every network of the zoo those that JAX derives?

    python experiments/zoo.py [NAME ...]

Takes an hour or two on 2 CPU cores, nearly all of it compiling. Each network in its published depth and width, with
fresh weights, on small images: what `jaxcnn check` finds, a row as soon as it is known, and beside it the number of
parameters, for images of the published size. The images are not as small as could be: batch norm of two values makes
1 and -1 of any, and of its gradient only rounding errors are left.
"""

import argparse
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn import models, ops
from jaxcnn.layers import Layer, summary
from jaxcnn.train.gradients import GradientCheck, check_gradients
from jaxcnn.train.state import TrainState

IMAGES = 4
SIDES = {5: 5, 28: 28, 32: 32, 39: 39}  # for images of the published side; of the others 64
PER_PIXEL = ("two_filters", "unet", "fcn_resnet50")  # whose outputs are maps


def check(name: str, network: Layer) -> GradientCheck:
    """On random images and labels, in training mode."""
    published, _, channels = models.ABOUT[name].image_shape
    side = SIDES.get(published, 64)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((IMAGES, side, side, channels)).astype(np.float32)
    init_key, run_key = jax.random.split(jax.random.key(0))
    params, state = jax.jit(lambda key: network.init(key, jax.ShapeDtypeStruct(x.shape, x.dtype)))(init_key)
    fresh = TrainState(params, state, (), jnp.int32(0), run_key)
    if name in PER_PIXEL:
        outputs = jax.eval_shape(lambda: network(params, state, x)).shape
        return check_gradients(network, ops.mse, fresh, x, rng.standard_normal(outputs))
    return check_gradients(network, ops.softmax_cross_entropy, fresh, x, np.arange(IMAGES))


def main(names: Sequence[str]) -> None:
    """Check each of them."""
    print(f"{'network':24}{'parameters':>12}{'arrays':>8}{'largest difference':>20}   agrees")
    for name in names:
        began, network = time.perf_counter(), models.create(name)
        parameters = summary(network, models.ABOUT[name].image_shape).trainable
        found = check(name, network)
        verdict = "yes" if found.agrees else "NO"
        seconds = time.perf_counter() - began
        print(
            f"{name:24}{parameters:12,}{found.arrays:8}{found.largest:20.1e}   {verdict} ({seconds:.0f} s)", flush=True
        )
        jax.clear_caches()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of which networks, by default all")
    main(parser.parse_args().names or list(models.ABOUT))
