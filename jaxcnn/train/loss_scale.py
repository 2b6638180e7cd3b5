"""Dynamic loss scaling: what keeps gradients within float16, whose range is from 6e-8 to 65,504."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

LARGEST, SMALLEST = 2.0**24, 1.0
GROWS_AFTER = 2000


class LossScale(NamedTuple):
    """The factor of the loss, and so of every δ on the way back; gradients are divided by it, in float32.

    It is always a power of two, so that it rounds nothing. Where a gradient is not finite it is halved and the step
    left out; after 2,000 finite steps in a row it is doubled. It stays between 1 and 2^24: where a gradient is not
    finite at 1, the scale is not the reason.
    Source: Micikevicius et al. 2018, "Mixed precision training", section 3.2; the interval is PyTorch's and Apex's.
    """

    factor: Array  # float32
    good: Array  # int32, finite steps since it last changed or was to grow

    @classmethod
    def initial(cls) -> "LossScale":
        return cls(jnp.float32(2**16), jnp.int32(0))

    @property
    def may_fall(self) -> Array:
        """Whether a gradient that is not finite may be the scale's fault, and so be finite with a smaller one."""
        return self.factor > SMALLEST

    def after(self, finite: Array, overflowed: Array) -> "LossScale":
        """The scale of the next step, by whether this one was finite, or its gradients alone were not."""
        grows = finite & (self.good + 1 >= GROWS_AFTER)
        change = jnp.where(grows, 2.0, jnp.where(overflowed, 0.5, 1.0))
        good = jnp.where(grows | overflowed, 0, self.good + finite)
        return LossScale(jnp.clip(self.factor * change, SMALLEST, LARGEST), good)
