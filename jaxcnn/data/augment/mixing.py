"""Images mixed with others of their batch, and their targets with them.

An image's partner is the one before it in the batch, as in torchvision: batches are shuffled, so this is any other
image, and devices that share a batch exchange only the ends of their parts.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.data.augment.arguments import PROBABILITY, real
from jaxcnn.data.augment.boxes import Boxes
from jaxcnn.data.augment.registry import Images, Targets, as_floats, as_pixels, augmentation

ALPHA = real("a number above 0, such as 0.2", above=0)


@augmentation(mixes=True, alpha=ALPHA, probability=PROBABILITY)
def mixup(
    key: Array, images: Images, targets: Targets, alpha: float, probability: float = 1.0
) -> tuple[Images, Targets]:
    """Each image, and its target, becomes λ times itself and 1 - λ times another, λ ~ Beta(alpha, alpha) for each.

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization", who take 0.2 for ImageNet, 1 for CIFAR-10.

    Args:
      key: decides each λ.
      images: (n, h, w, c).
      targets: (n, classes), probabilities.
      alpha: above 0. The smaller it is, the nearer λ is to 0 or 1; 1 makes it uniform.
      probability: of an image being mixed.

    Returns: images and targets of the same shapes and dtypes.

    Raises: ValueError unless images, targets and the arguments are as above.
    """
    share = _shares(key, images.shape[0], alpha, probability)
    x, t = as_floats(images), as_floats(targets)
    mixed = _mixed(x, share[:, None, None, None])
    return as_pixels(mixed, images), _mixed(t, share[:, None]).astype(targets.dtype)


@augmentation(mixes=True, alpha=ALPHA, probability=PROBABILITY)
def cutmix(
    key: Array, images: Images, targets: Targets, alpha: float, probability: float = 1.0
) -> tuple[Images, Targets]:
    """A rectangle of each image is that of another; the target is mixed by the share of pixels of each.

    With λ ~ Beta(alpha, alpha) for each image the rectangle's sides are √(1 - λ) of the image's, and its middle is
    uniform over the image; the border may cut it, so that the share is counted, and is not 1 - λ.
    Source: Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers with localizable features",
    who take 1, and mix half of CIFAR's batches.

    Arguments, returns and raises as `mixup`; the key decides each rectangle.
    """
    n, height, width, _ = images.shape
    share_key, row_key, column_key = jax.random.split(key, 3)
    side = jnp.sqrt(1 - _shares(share_key, n, alpha, probability))

    def cut(key: Array, length: int) -> tuple[Array, Array]:
        """Begin and end of the rectangle along an axis."""
        middle, half = jax.random.randint(key, (n,), 0, length, jnp.int32), (side * length / 2).astype(jnp.int32)
        begin, end = jnp.maximum(middle - half, 0), jnp.minimum(middle + half, length)
        return begin, end - begin

    top, rows = cut(row_key, height)
    left, columns = cut(column_key, width)
    inside = Boxes(top, left, rows, columns).mask(height, width)
    kept = 1 - rows * columns / (height * width)
    t = _mixed(as_floats(targets), kept[:, None])
    return jnp.where(inside, jnp.roll(images, 1, 0), images), t.astype(targets.dtype)


def _shares(key: Array, n: int, alpha: float, probability: float) -> Array:
    """λ of each image; 1 for one that is not mixed."""
    beta_key, chosen_key = jax.random.split(key)
    share = jax.random.beta(beta_key, alpha, alpha, (n,), jnp.float32)
    return jnp.where(jax.random.bernoulli(chosen_key, probability, (n,)), share, 1)


def _mixed(x: Array, share: Array) -> Array:
    return share * x + (1 - share) * jnp.roll(x, 1, 0)
