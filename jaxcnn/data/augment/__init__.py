"""Random changes to training images, on the device and inside `jit`: pure functions of a key and a batch.

    images = crop(key, images, 4, "reflect")
    images, targets = mixup(key, images, targets, 0.2)
    images, targets = parse("crop(4,reflect),flip,mixup(0.2)")(key, images, targets)

Each image has its own draws. Images are (n, h, w, c) and keep their shape and dtype. Pixels are from 0, black, to 255,
as floats, too: augmentations belong before `jaxcnn.data.normalise`, and the 0 that moves in is black, whatever the
mean. Targets are (n, classes), probabilities.
"""

from jaxcnn.data.augment.color import color_jitter, grayscale
from jaxcnn.data.augment.composition import Augmentation, parse
from jaxcnn.data.augment.crops import crop, random_resized_crop, shift
from jaxcnn.data.augment.erasing import cutout, random_erasing
from jaxcnn.data.augment.flips import alternating_flip, flip
from jaxcnn.data.augment.mixing import cutmix, mixup
from jaxcnn.data.augment.policies import rand_augment, trivial_augment
from jaxcnn.data.augment.warp import affine, rotate

__all__ = [
    "Augmentation",
    "affine",
    "alternating_flip",
    "color_jitter",
    "crop",
    "cutmix",
    "cutout",
    "flip",
    "grayscale",
    "mixup",
    "parse",
    "rand_augment",
    "random_erasing",
    "random_resized_crop",
    "rotate",
    "shift",
    "trivial_augment",
]
