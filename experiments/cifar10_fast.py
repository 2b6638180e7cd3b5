"""94 % on CIFAR-10 in as little time as possible, on a CPU or on whatever device JAX finds.

    python experiments/cifar10_fast.py [--target 94] [--seeds 5] [--steps N] [--data-dir DIR] [--precision default]
                                       [--checkpoints DIR]

The recipe is that of Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv 2404.02180): a 2×2
convolution that whitens patches and is not trained; convolutions that start by passing their input through; batch
norms without scale; images mirrored in every second epoch; label smoothing; six views of a test image. The kernels
are trained by Muon, as in the author's later airbench94_muon, which needs 8 epochs for the 9.9 of the paper's SGD
with lookahead. Ours beside that: smaller images at first (`Phase`); then, but for the last steps, of an epoch only
those whose last losses were the largest (after Jiang et al. 2019, "Accelerating Deep Learning by Focusing on the
Biggest Losers", arXiv 1910.00762); six views only where one leaves doubts, as in
github.com/hiverge/cifar10-speedrun; Winograd's algorithm with images laid together, and in bfloat16 where that is
multiplied (`kernels.use("fast")`). The targets 95 and 96 are the paper's networks, wider and longer trained, on all
images, of which fewer are small: 95 is reached with 0.9506 (seed 0, 127 minutes of CPU time), 96 was not run.

Printed for each seed: test accuracy by six views and by one, and the seconds of compiling, training (whitening
included) and evaluation; then mean ± sample standard deviation. Expected: 0.9403 ± 0.0015 over the seeds 10 to 14 with
`--precision default`; the last took 13 min 16 s on an otherwise idle machine, 2 cores of an AMD EPYC with AVX2, of
which 13 s went into compiling and 28 s into evaluation. The recipe before it, 12 epochs, takes 21 min 30 s there by the
times of its steps, and took 9 min 38 s on one with AVX512_BF16. Memory was kept from step to step (`GLIBC_TUNABLES` in
experiments/README.md). Without AVX512_BF16 `--precision default` saves rounding. The data is in memory and on the
device throughout; a step takes indices. With `--checkpoints DIR` the same command goes on after the last whole epoch
of a run that was stopped. Where JAX runs on a GPU and the author's PyTorch package is installed (`pip
install airbench torch torchvision`), its airbench94 is trained after a whole run to 94 %: as many seeds, on the same
images.
"""

import argparse
import contextlib
import io
import math
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from jax import Array, lax

from jaxcnn import data, kernels, ops
from jaxcnn.data import Dataset
from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Params,
    State,
    chain,
    residual,
)
from jaxcnn.ops.precision import Precision
from jaxcnn.train import checkpoint
from jaxcnn.train.saver import Place, Saver
from jaxcnn.train.sweep import spread

EVAL_BATCH = 500
DOUBTFUL = 0.25  # of the test images: those that are seen six times
small_uniform = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's
unit_uniform = partial(jax.random.uniform, minval=-math.sqrt(3), maxval=math.sqrt(3))  # variance 1


@dataclass(frozen=True)
class Phase:
    """A part of training: until this share of all steps, on images of this side."""

    until: float
    side: int = 32
    fixed: tuple[str, ...] = ("whiten",)  # layers that are not trained, to which no pass back is made
    hardest: float = 1.0  # the share of the images that an epoch takes: those whose last losses were the largest

    @property
    def program(self) -> "Phase":
        """All that a step is compiled from: phases that are alike in it share one."""
        return replace(self, until=1.0, hardest=1.0)


@dataclass(frozen=True)
class Config:
    """The recipe; rates and decay are those of the gradient of a batch's mean loss."""

    widths: tuple[int, ...] = (64, 256, 256)
    deep: bool = False  # a third convolution in each block, and a shortcut around the last two
    epochs: float = 7.4  # in steps: of all images, though a later one takes fewer
    phases: tuple[Phase, ...] = (
        Phase(0.06, side=24, fixed=()),
        Phase(0.45, side=24),
        Phase(0.95, hardest=0.6),
        Phase(1.0),
    )
    batch_size: int = 2000
    rate: float = 0.24  # of kernels, whose steps are orthogonalised
    momentum: float = 0.6
    bias_rate: float = 106.0
    head_rate: float = 1340.0  # of the last layer, whose output is divided by its inputs' number
    slow_momentum: float = 0.85  # of biases and the last layer
    decay: float = 0.004  # what a step takes from a weight at first, of biases and the last layer
    norm_momentum: float = 0.6
    translate: int = 2
    cutout: int = 0  # side of the square that is left out
    label_smoothing: float = 0.2

    def phase(self, done: int, total: int) -> Phase:
        """That of the step after so many of all."""
        return next(phase for phase in self.phases if done < phase.until * total)


WIDE = Config(
    widths=(128, 384, 384),
    epochs=17,
    phases=(Phase(0.06, side=24, fixed=()), Phase(0.25, side=24), Phase(1.0)),  # all images, whole ones sooner
)
CONFIGS = {
    94: Config(),
    95: WIDE,
    96: replace(WIDE, widths=(128, 384, 512), deep=True, epochs=37, norm_momentum=0.9, translate=4, cutout=12),
}


@dataclass(frozen=True, repr=False)
class DiracConv(Conv):
    """A convolution whose first output channels are, at the start, its input channels."""

    use_bias: bool = False

    def init(self, key: Array, x: jax.ShapeDtypeStruct) -> tuple[Params, State]:
        params, state = super().init(key, x)
        kernel = small_uniform(key, params["kernel"].shape, x.dtype)
        middle, through = kernel.shape[0] // 2, np.arange(min(kernel.shape[2:]))
        identity = kernel.at[..., through].set(0).at[middle, middle, through, through].set(1)
        return {"kernel": identity}, state


def network(config: Config, precision: Precision | None) -> Layer:
    """The network; its logits are what it gives, divided by its last width."""
    conv = partial(DiracConv, precision=precision)
    norm = BatchNorm(momentum=config.norm_momentum, epsilon=1e-12)
    gelu = Activation("gelu")

    def block(width: int) -> Layer:
        first = {"conv1": conv(width), "pool": MaxPool(2), "norm1": norm, "gelu1": gelu}
        second = {"conv2": conv(width), "norm2": norm}
        if not config.deep:
            return chain(**first, **second, gelu2=gelu)
        third = {"gelu2": gelu, "conv3": conv(width), "norm3": norm}
        return chain(**first, rest=residual(chain(**second, **third)), gelu3=gelu)

    return chain(
        whiten=Conv(24, 2, padding="VALID", precision=precision),
        gelu=gelu,
        **{f"block{i}": block(width) for i, width in enumerate(config.widths, 1)},
        pool=GlobalMaxPool(),
        head=Dense(10, use_bias=False),
    )


def whitening(images: np.ndarray, epsilon: float = 5e-4) -> np.ndarray:
    """Kernels (2, 2, 3, 24) under which the 2×2 patches of normalised `images` (n, h, w, 3) are uncorrelated.

    With the patches' second moments C = Σ p pᵀ / m = V Λ Vᵀ they are the columns of V (Λ + ε)^(-1/2), largest
    eigenvalue first, and the same negated: behind an activation both signs are needed.
    """
    h, w = images.shape[1] - 1, images.shape[2] - 1
    corners = [images[:, i : i + h, j : j + w] for i in (0, 1) for j in (0, 1)]
    patches = np.concatenate(corners, -1).reshape(-1, 12).astype(np.float64)
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    kernel = (vectors / np.sqrt(values + epsilon))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([kernel, -kernel], -1).astype(np.float32)


def initial(net: Layer, images: np.ndarray, seed: int) -> tuple[Params, State]:
    """The network before training; it whitens the patches of `images`, which are normalised."""
    key = jax.random.key(seed)
    params, state = jax.jit(partial(net.init, x=jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32)))(key)
    params["whiten"]["kernel"] = jnp.asarray(whitening(images))
    params["head"]["kernel"] = unit_uniform(key, params["head"]["kernel"].shape)
    return params, state


def optimizer(config: Config, steps: int) -> optax.GradientTransformation:
    """Muon for kernels, Nesterov SGD for biases and the last layer; every rate falls to 0 in a line.

    Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers") steps along the nearest orthogonal matrix to the
    momentum, of a kernel as a matrix (window · in, out). The whitening's bias is at rest when its phases end.
    """
    shares = [phase.until for phase in config.phases if "whiten" not in phase.fixed]
    whiten_steps = max(1, round(max(shares, default=0) * steps))
    matrix = optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    muon = optax.contrib.scale_by_muon(
        ns_steps=3, beta=config.momentum, weight_dimension_numbers=lambda tree: jax.tree.map(lambda _: matrix, tree)
    )

    def sgd(rate: float, steps: int) -> optax.GradientTransformation:
        step = optax.sgd(optax.linear_schedule(rate, 0.0, steps), config.slow_momentum, nesterov=True)
        return optax.chain(optax.add_decayed_weights(config.decay / rate), step)

    groups = {
        "fixed": optax.set_to_zero(),
        "kernels": optax.chain(muon, optax.scale_by_learning_rate(optax.linear_schedule(config.rate, 0.0, steps))),
        "whitening": sgd(config.bias_rate, whiten_steps),
        "biases": sgd(config.bias_rate, steps),
        "head": sgd(config.head_rate, steps),
    }
    return optax.multi_transform(groups, partial(jax.tree_util.tree_map_with_path, _group))


def _group(path: Any, _: Array) -> str:
    names = [entry.key for entry in path]
    first, last = names[0], names[-1]
    if last == "scale" or (first, last) == ("whiten", "kernel"):
        return "fixed"
    if first == "whiten":
        return "whitening"
    if first == "head":
        return "head"
    return "kernels" if last == "kernel" else "biases"


def normalised(params: Params) -> Params:
    """Kernels with a norm of √out: batch norm hides their length, so that only a step's share of it matters."""

    def one(path: Any, leaf: Array) -> Array:
        return leaf * math.sqrt(leaf.shape[-1]) / jnp.linalg.norm(leaf) if _group(path, leaf) == "kernels" else leaf

    return jax.tree_util.tree_map_with_path(one, params)


def cut(images: Array, chosen: Array, corners: Array, mirrored: Array, side: int) -> Array:
    """Windows of `side` pixels out of the images `chosen`, with their upper left corners, some mirrored."""

    def window(index: Array, corner: Array) -> Array:
        return lax.dynamic_slice(images, (index, *corner, 0), (1, side, side, images.shape[-1]))[0]

    windows = jax.vmap(window)(chosen, corners)
    return jnp.where(mirrored[:, None, None, None], windows[:, :, ::-1], windows)


@dataclass(frozen=True)
class Pixels:
    """uint8 pixels as the network wants them."""

    mean: np.ndarray
    std: np.ndarray

    def __call__(self, images: Any) -> Array:
        return data.normalise(images, self.mean, self.std)


def make_step(config: Config, net: Layer, update: Any, normalise: Pixels, phase: Phase) -> Any:
    """(network, optimizer's state, data, batch, key) -> (network, optimizer's state, each image's loss), jitted."""

    @jax.jit
    def step(model: tuple[Params, State], opt_state: Any, images: Array, labels: Array, batch: Any, key: Array) -> Any:
        params, state = model
        chosen, flipped = batch
        side = images.shape[1] - 2 * config.translate
        key_cut, key_hole = jax.random.split(key)
        corners = jax.random.randint(key_cut, (len(chosen), 2), 0, 2 * config.translate + 1)
        x = normalise(cut(images, chosen, corners, flipped, side))
        if config.cutout:
            x = data.cutout(key_hole, x, config.cutout)
        if phase.side != side:
            x = jax.image.resize(x, (len(x), phase.side, phase.side, x.shape[-1]), "linear")  # averages, no aliases

        fixed = {name: params[name] for name in phase.fixed}

        def loss(params: Params) -> tuple[Array, tuple[State, Array]]:
            y, new = net.apply(params | lax.stop_gradient(fixed), state, x, train=True)
            each = ops.softmax_cross_entropy(
                y / config.widths[-1], labels[chosen], label_smoothing=config.label_smoothing
            )
            return each.mean(), (new, each)

        gradients, (new, each) = jax.grad(loss, has_aux=True)(params)
        updates, opt_state = update(gradients, opt_state, params)
        return (optax.apply_updates(normalised(params), updates) | fixed, new), opt_state, each

    return step


def hardest(order: np.ndarray, losses: np.ndarray, share: float) -> np.ndarray:
    """Of the images in this order those with the largest of all `losses`, so large a share of them."""
    kept = np.zeros(len(losses), bool)
    kept[np.argsort(-losses, kind="stable")[: round(share * len(losses))]] = True
    return order[kept[order]]


def views(x: Array) -> tuple[np.ndarray, list[Array]]:
    """Six views of each image and their weights: as it is and moved along the diagonal by a pixel, and these mirrored.

    The image itself counts as much as the two that are moved.
    """
    side = x.shape[1]
    padded = ops.pad(x, 1, mode="reflect")
    three = [x, padded[:, :side, :side], padded[:, 2:, 2:]]
    return np.repeat([0.25, 0.125, 0.125], 2), [view for one in three for view in (one, one[:, :, ::-1])]


def evaluate(logits: Any, dataset: Dataset, normalise: Pixels, size: int) -> tuple[float, float]:
    """Test accuracy by one view, and by six of the quarter of the images whose classes are least certain.

    `logits` is a function of `size` normalised images.
    """

    def by(see: Any, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The images' mean logits over what `see` makes of them: the views' weights, and the views."""
        batches = []
        for batch, _, weights in data.eval_batches(images, labels, size):
            shares, seen = see(normalise(batch))
            batches.append(np.tensordot(shares, np.stack([logits(view) for view in seen]), 1)[weights > 0])
        return np.concatenate(batches)

    images, labels = dataset.test_images, dataset.test_labels
    found = by(lambda x: (np.ones(1), [x]), images, labels)
    plain = float((found.argmax(-1) == labels).mean())
    doubtful = np.argsort(jax.nn.softmax(found).max(-1))[: round(DOUBTFUL * len(labels))]
    found[doubtful] = by(views, images[doubtful], labels[doubtful])
    return plain, float((found.argmax(-1) == labels).mean())


class Progress(NamedTuple):
    """Training between two epochs."""

    model: tuple[Params, State]
    opt_state: Any
    losses: Any  # (steps,) of each step, NaN where it is still to come
    last: Any  # (n,) of each image where it was last seen, infinite before
    seconds: Any = np.float32(0)
    done: Any = np.int32(0)  # steps
    epoch: Any = np.int32(0)  # that comes next


@dataclass(frozen=True)
class Result:
    """Test accuracies, seconds, the loss of every step, and the trained network."""

    plain: float
    accuracy: float
    compiling: float
    training: float
    evaluating: float
    losses: list[float]
    model: tuple[Params, State]


def run(
    config: Config,
    dataset: Dataset,
    seed: int,
    steps: int | None,
    precision: Precision | None,
    folder: Path | None = None,
) -> Result:
    """Train from one seed, at most `steps` steps of the whole schedule, and test.

    After each epoch a checkpoint is written to `folder`, from which a later call with the same arguments goes on.
    """
    began = time.perf_counter()
    normalise = Pixels(*data.statistics(dataset.train_images))
    net = network(config, precision)
    model = initial(net, np.asarray(normalise(dataset.train_images[:5000])), seed)
    edge = (config.translate, config.translate)
    images = jnp.asarray(np.pad(dataset.train_images, ((0, 0), edge, edge, (0, 0)), "reflect"))
    labels = jnp.asarray(dataset.train_labels)
    prepared = time.perf_counter() - began

    n, size = len(labels), config.batch_size
    per_epoch = n // size
    total = math.ceil(config.epochs * per_epoch)
    transform = optimizer(config, total)
    opt_state = transform.init(model[0])
    key = jax.random.fold_in(jax.random.key(seed), 1)
    batch = np.zeros(size, int), np.zeros(size, bool)
    began = time.perf_counter()
    test_batch = jax.ShapeDtypeStruct((min(EVAL_BATCH, len(dataset.test_images)), *dataset.image_shape), jnp.float32)
    with kernels.use("fast"):
        steps_of = {
            program: make_step(config, net, transform.update, normalise, program)
            .lower(model, opt_state, images, labels, batch, key)
            .compile()
            for program in {phase.program for phase in config.phases}
        }
        scores = jax.jit(lambda model, x: net.apply(*model, x)[0] / config.widths[-1])
        logits = scores.lower(model, test_batch).compile()
    compiling = time.perf_counter() - began

    progress = Progress(model, opt_state, np.full(total, np.nan, np.float32), np.full(n, np.inf, np.float32))
    if folder and checkpoint.exists(folder):
        progress = checkpoint.restore(folder, progress)
    model, opt_state = progress.model, progress.opt_state
    losses, last = np.array(progress.losses), np.array(progress.last)
    began = time.perf_counter() - float(progress.seconds)
    done, epoch = int(progress.done), int(progress.epoch)
    stop = total if steps is None else min(total, steps)
    with Saver() as saver:
        while done < stop:
            order, flipped = data.epoch_order(n, seed, epoch), data.alternately_mirrored(n, seed, epoch)
            order = hardest(order, last, config.phase(done, total).hardest)
            seen: list[tuple[np.ndarray, Array]] = []
            for chosen in order[: len(order) // size * size].reshape(-1, size)[: stop - done]:
                step = steps_of[config.phase(done + len(seen), total).program]
                batch = chosen, flipped[chosen]
                at = jax.random.fold_in(key, done + len(seen))
                model, opt_state, each = step(model, opt_state, images, labels, batch, at)
                seen.append((chosen, each))
            for i, (rows, each) in enumerate(seen, done):
                losses[i], last[rows] = np.mean(each), each
            done, epoch = done + len(seen), epoch + 1
            if folder and done < stop:
                seconds = np.float32(time.perf_counter() - began)
                now = Progress(model, opt_state, losses.copy(), last.copy(), seconds, np.int32(done), np.int32(epoch))
                saver.save(now, Place(folder))
    training = prepared + time.perf_counter() - began

    began = time.perf_counter()
    plain, accuracy = evaluate(partial(logits, model), dataset, normalise, test_batch.shape[0])
    evaluating = time.perf_counter() - began
    return Result(plain, accuracy, compiling, training, evaluating, losses[:stop].tolist(), model)


def airbench94(dataset: Dataset, seeds: int) -> list[tuple[float, float]]:
    """Test accuracy and seconds, training and evaluation together, of runs of the author's own in PyTorch.

    Its package looks for CIFAR-10 in the working directory, where our images are put. Not in the seconds are a step
    of warm-up and the training images' way to the GPU. Raises: ImportError where the package isn't installed,
    or PyTorch not for GPUs.
    """
    import airbench
    import torch

    if not torch.cuda.is_available():
        raise ImportError("PyTorch finds no GPU")
    results = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        Path("cifar10").mkdir()
        for part, images, labels in (
            ("train", dataset.train_images, dataset.train_labels),
            ("test", dataset.test_images, dataset.test_labels),
        ):
            tensors = {"images": torch.tensor(images), "labels": torch.tensor(labels).long()}
            torch.save(tensors | {"classes": list(dataset.classes)}, f"cifar10/{part}.pt")
        airbench.warmup94()
        recipe = airbench.lib_airbench94.hyp
        for seed in range(seeds):
            torch.manual_seed(seed)
            size, augment = recipe["opt"]["batch_size"], recipe["aug"]
            train = airbench.CifarLoader("cifar10", train=True, batch_size=size, aug=augment, altflip=True)
            test = airbench.CifarLoader("cifar10", train=False, batch_size=EVAL_BATCH)
            torch.cuda.synchronize()
            began = time.perf_counter()
            accuracy = airbench.evaluate(airbench.train94(train, verbose=False), test, recipe["net"]["tta_level"])
            results.append((accuracy, time.perf_counter() - began))
    return results


def beside(dataset: Dataset, seeds: int) -> str:
    """What is said of `airbench94`'s runs."""
    try:
        accuracies, seconds = map(list, zip(*airbench94(dataset, seeds), strict=True))
    except ImportError as error:
        return f"PyTorch's airbench94 was not run: {error}. To run it, pip install airbench torch torchvision."
    return f"PyTorch's airbench94: {spread(accuracies)}; training and evaluation {mean(seconds):.2f} s each"


def main(
    config: Config,
    seeds: range,
    steps: int | None,
    data_dir: Path | None,
    precision: Precision | None,
    checkpoints: Path | None = None,
) -> list[Result]:
    """Every seed, printed as it ends; then what they have in common."""
    dataset = data.load("cifar10", data_dir=data_dir)
    print(f"{config}\n{jax.devices()[0].device_kind}, convolutions in {precision or 'default'} precision", flush=True)
    results: list[Result] = []
    for seed in seeds:
        folder = checkpoints and checkpoints / f"seed{seed}"
        results.append(result := run(config, dataset, seed, steps, precision, folder))
        print(
            f"seed {seed}: test accuracy {result.accuracy:.4f}, by one view {result.plain:.4f}; seconds: "
            f"compiling {result.compiling:.1f}, training {result.training:.1f}, evaluation {result.evaluating:.1f}",
            flush=True,
        )
    whole = mean(r.compiling + r.training + r.evaluating for r in results)
    print(
        f"{len(seeds)} seeds: {spread([r.accuracy for r in results])}, lowest {min(r.accuracy for r in results):.4f}; "
        f"by one view {spread([r.plain for r in results])}; {whole:.1f} s each"
    )
    if jax.default_backend() == "gpu" and config == CONFIGS[94] and steps is None:
        print(beside(dataset, len(seeds)))
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--target", type=int, choices=CONFIGS, default=94, help="accuracy in percent that is aimed at")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds (default 5)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--steps", type=int, help="stop each run after this many, for a quick look")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    parser.add_argument(
        "--precision",
        choices=("bfloat16", "float32", "default"),
        default="bfloat16",
        help="of convolutions; default: float32 by Winograd's algorithm",
    )
    parser.add_argument("--checkpoints", type=Path, help="a folder, in which each epoch is saved and gone on from")
    args = parser.parse_args()
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    precision = None if args.precision == "default" else args.precision
    main(CONFIGS[args.target], seeds, args.steps, args.data_dir, precision, args.checkpoints)
