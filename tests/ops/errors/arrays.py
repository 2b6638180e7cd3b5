"""The arrays that the rows share."""

import jax
import jax.numpy as jnp
import numpy as np

X = jnp.zeros((2, 8, 6, 3))
KERNEL = jnp.zeros((3, 3, 3, 4))
PIXELS = np.zeros((2, 8, 6, 3), np.uint8)
KEY = jax.random.key(0)
C = jnp.ones(3)
LOGITS = np.zeros((2, 3), np.float32)
