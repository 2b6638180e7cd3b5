"""Images in: digits (embedded), any TFDS name, your pictures; in memory or streamed, augmented, in batches."""

from jaxcnn.data.augment import cutout, flip, shift
from jaxcnn.data.balance import balanced_order, class_weights
from jaxcnn.data.batches import alternately_mirrored, epoch_order, eval_batches, train_batches
from jaxcnn.data.dataset import Dataset, Images
from jaxcnn.data.lookup import load
from jaxcnn.data.pixels import normalise, statistics

__all__ = [
    "Dataset",
    "Images",
    "alternately_mirrored",
    "balanced_order",
    "class_weights",
    "cutout",
    "epoch_order",
    "eval_batches",
    "flip",
    "load",
    "normalise",
    "shift",
    "statistics",
    "train_batches",
]
