"""Cut a dataset into batches: shuffled ones to train on, padded ones to evaluate on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from jaxcnn.data.ahead import read_ahead
from jaxcnn.data.balance import balanced_order
from jaxcnn.data.dataset import Images

Labels = Int[np.ndarray, " n"]
Batch = tuple[UInt8[np.ndarray, "b h w c"], Int[np.ndarray, " b"]]
Weighted = tuple[UInt8[np.ndarray, "b h w c"], Int[np.ndarray, " b"], Float32[np.ndarray, " b"]]


def epoch_order(n: int, seed: int, epoch: int) -> Int[np.ndarray, " n"]:
    """The order in which `epoch` visits the n images: a permutation that seed and epoch alone decide."""
    return np.random.default_rng((seed, epoch)).permutation(n)


def alternately_mirrored(n: int, seed: int, epoch: int) -> Bool[np.ndarray, " n"]:
    """Which of the n images `epoch` shows mirrored: a random half in epoch 0, the others in epoch 1, and so on in turn.

    So two epochs show every image both ways; of epochs that draw anew, every second shows an image as the one before.
    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.6 (alternating flip).
    """
    first = np.random.default_rng(seed).random(n) < 0.5
    return first ^ bool(epoch % 2)


def train_batches(
    images: Images,
    labels: Labels,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    start: int = 0,
    balanced: bool = False,
) -> Iterator[Batch]:
    """The shuffled batches of one epoch, n // batch_size of them, all full.

    The images left over, fewer than a batch, are not seen in this epoch: so every step has one shape, and batch
    norm never meets a batch of two. As each epoch is shuffled anew, the next ones see them. `batch_size = n` is
    full-batch gradient descent, 1 is stochastic gradient descent.

    Args:
      images, labels: arrays of n entries each; a batch is a copy of `batch_size` of them.
      seed, epoch: decide the order, see `epoch_order`.
      balanced: take images in `balanced_order`, in which every class comes as often, in the place of `epoch_order`.
      start: the batch to begin with, for an epoch that was broken off after `start` batches.

    Raises: ValueError, when the first batch is asked for, for a batch size below 1 or above n, a negative start,
      and images and labels that differ in number.
    """
    n = len(images)
    _check("train_batches", n, len(labels), batch_size)
    for rows in batch_rows(labels, batch_size, seed=seed, epoch=epoch, start=start, balanced=balanced):
        yield images[rows], labels[rows]


def batch_rows(
    labels: Labels, batch_size: int, *, seed: int, epoch: int, start: int = 0, balanced: bool = False
) -> Iterator[Int[np.ndarray, " b"]]:
    """Which images the batches of `train_batches` hold. Arguments and errors are the same."""
    n = len(labels)
    if batch_size > n:
        raise ValueError(
            f"train_batches: batch_size is {batch_size}, more than the {n} images; use {n} (full batch) or fewer."
        )
    if start < 0:
        raise ValueError(f"train_batches: start is {start}; expected the number of batches to leave out, 0 or more.")
    order = order_of(labels, seed, epoch, balanced)
    for batch in range(start, n // batch_size):
        yield order[batch * batch_size : (batch + 1) * batch_size]


def order_of(labels: Labels, seed: int, epoch: int, balanced: bool) -> Int[np.ndarray, " n"]:
    """The `balanced_order` of the epoch, or its `epoch_order`."""
    return balanced_order(labels, seed, epoch) if balanced else epoch_order(len(labels), seed, epoch)


def eval_batches(images: Images, labels: Labels, batch_size: int) -> Iterator[Weighted]:
    """All images in order, in batches of one size, with weights: 1 for an image, 0 for what fills the last batch.

    A mean over the dataset is Σ weight · value / Σ weight. The filling is zeros. Images that are no NumPy array are
    read ahead, by threads.

    Raises: ValueError, when the first batch is asked for, for a batch size below 1, and images and labels that
      differ in number.
    """
    _check("eval_batches", len(images), len(labels), batch_size)
    batches = _EvalBatches(images, labels, batch_size)
    yield from map(batches.__getitem__, range(len(batches))) if isinstance(images, np.ndarray) else read_ahead(batches)


@dataclass(frozen=True)
class Taken:
    """The images of some rows, in pieces of 128."""

    images: Images
    rows: Int[np.ndarray, " n"]
    piece: int = 128

    def __len__(self) -> int:
        return -(-len(self.rows) // self.piece)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "n h w c"]:
        return self.images[self.rows[index * self.piece : (index + 1) * self.piece]]


@dataclass(frozen=True)
class _EvalBatches:
    images: Images
    labels: Labels
    size: int

    def __len__(self) -> int:
        return -(-len(self.labels) // self.size)

    def __getitem__(self, index: int) -> Weighted:
        rows = slice(index * self.size, (index + 1) * self.size)
        weights = np.arange(rows.start, rows.stop) < len(self.labels)
        images, labels = self.images[rows], self.labels[rows]
        return _filled(images, self.size), _filled(labels, self.size), weights.astype(np.float32)


def _filled(piece: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([piece, np.zeros((size - len(piece), *piece.shape[1:]), piece.dtype)])


def _check(caller: str, n: int, n_labels: int, batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"{caller}: batch_size is {batch_size}; expected 1 or more.")
    if n != n_labels:
        raise ValueError(f"{caller}: {n} images have {n_labels} labels; expected one label for each image.")
