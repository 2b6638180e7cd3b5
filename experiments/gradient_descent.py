"""One example, a mini-batch, or all of them for each step: gradient descent on the digits from the same start.

    python experiments/gradient_descent.py [--epochs 20] [--steps N] [--out runs/gradient_descent]

Takes 2 minutes on 2 CPU cores. LeNet-5 without dropout or augmentation is trained with B = 1, 32 and all 1,437
images a step, each at the best of three learning rates (by the training loss reached). The update is written by hand,

    W ← W - η/B Σ ∂L/∂W,    the sum over the B examples of the batch,

and the same steps are made by `optax.sgd`: both must end in the same bits. Printed are the loss over the whole training
set at the end and the time; OUT/losses.png shows the loss against examples seen and against time. Small batches make
many noisy steps of little work each, the full batch few exact ones.
Source: Bottou 2012, "Stochastic gradient descent tricks".
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcnn import data, models, ops
from jaxcnn.data.batches import train_batches
from jaxcnn.report import style

NET = models.lenet5()
Params = Any
Update = Callable[[Params, Params, float], Params]  # (W, mean gradient, η) -> W


@dataclass(frozen=True)
class Config:
    epochs: int = 20
    rates: tuple[float, ...] = (0.003, 0.03, 0.3)
    batch_sizes: tuple[int, ...] = (1, 32, 1437)
    looks: int = 40  # how often the loss over the training set is taken
    seed: int = 0


def by_hand(params: Params, gradients: Params, rate: float) -> Params:
    """W ← W - η ∂L/∂W."""
    return jax.tree.map(lambda w, g: w - rate * g, params, gradients)


def by_optax(params: Params, gradients: Params, rate: float) -> Params:
    """The same by the library."""
    sgd = optax.sgd(rate)
    updates, _ = sgd.update(gradients, sgd.init(params), params)
    return optax.apply_updates(params, updates)


@dataclass(frozen=True)
class Trace:
    """The loss over the whole training set after so many examples and seconds, and the parameters at the end."""

    rate: float
    examples: list[int]
    seconds: list[float]
    losses: list[float]
    params: Params


def descend(config: Config, batch_size: int, rate: float, update: Update, steps: int | None = None) -> Trace:
    """Train; at most `steps` steps. Compiling and the looks at the loss are not part of the seconds."""
    digits = data.load("digits")
    pixels = data.normalise(digits.train_images, *data.statistics(digits.train_images))
    images, labels = np.asarray(pixels), digits.train_labels
    params, _ = NET.init(jax.random.key(config.seed), jax.ShapeDtypeStruct((1, *digits.image_shape), jnp.float32))

    def mean_loss(params: Params, x: Any, labels: Any) -> Any:
        return ops.softmax_cross_entropy(NET.apply(params, {}, x, train=True)[0], labels).mean()

    whole = jax.jit(mean_loss)
    step = jax.jit(lambda params, x, labels: update(params, jax.grad(mean_loss)(params, x, labels), rate))
    step = step.lower(params, images[:batch_size], labels[:batch_size]).compile()

    total = config.epochs * (len(images) // batch_size)
    total = total if steps is None else min(total, steps)
    trace = Trace(rate, [0], [0.0], [float(whole(params, images, labels))], params)
    done, spent = 0, 0.0
    for epoch in range(config.epochs):
        for x, y in train_batches(images, labels, batch_size, seed=config.seed, epoch=epoch):
            if done == total:
                break
            started = time.perf_counter()
            params = step(params, x, y)
            jax.block_until_ready(params)
            spent += time.perf_counter() - started
            done += 1
            if done == total or done % max(1, total // config.looks) == 0:
                trace.examples.append(done * batch_size)
                trace.seconds.append(spent)
                trace.losses.append(float(whole(params, images, labels)))
    return Trace(rate, trace.examples, trace.seconds, trace.losses, params)


def best_of(traces: list[Trace]) -> Trace:
    """The one that ends in the lowest loss; a loss that is not finite is the highest."""
    return min(traces, key=lambda t: t.losses[-1] if np.isfinite(t.losses[-1]) else np.inf)


def same_bits(a: Params, b: Params) -> bool:
    """Whether every parameter is the same in every bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(p).tobytes() == np.asarray(q).tobytes() for p, q in pairs)


def main(config: Config, steps: int | None, out: Path) -> dict[int, Trace]:
    """Every batch size at its best rate; printed, drawn, and compared with optax."""
    best: dict[int, Trace] = {}
    for batch_size in config.batch_sizes:
        traces = [descend(config, batch_size, rate, by_hand, steps) for rate in config.rates]
        trace = best[batch_size] = best_of(traces)
        library = descend(config, batch_size, trace.rate, by_optax, steps).params
        equal = "the same bits" if same_bits(trace.params, library) else "OTHER BITS"
        print(
            f"B = {batch_size}: loss {trace.losses[0]:.4f} to {trace.losses[-1]:.2g} after {trace.examples[-1]} "
            f"examples, {trace.seconds[-1]:.1f} s, η = {trace.rate}; optax.sgd gives {equal}",
            flush=True,
        )
    draw(best, out)
    print(f"picture {out / 'losses.png'}")
    return best


def draw(best: dict[int, Trace], out: Path) -> None:
    """Loss against examples, and against time."""
    out.mkdir(parents=True, exist_ok=True)
    figure = style.figure(10, 4, "Gradient descent on the digits, LeNet-5")
    for axes, along in zip(figure.subplots(1, 2), ("examples", "seconds"), strict=True):
        for (batch_size, trace), color in zip(best.items(), (style.SECOND, style.FIRST, style.INK), strict=False):
            axes.plot(getattr(trace, along), trace.losses, color=color, linewidth=1.6, label=f"B = {batch_size}")
        style.tidy(axes, along, "loss over the training set")
        axes.set_yscale("log")
        axes.legend(**style.LEGEND)
    style.save(figure, out / "losses.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=Config().epochs, help="passes over the training set")
    parser.add_argument("--steps", type=int, help="stop each run after this many, for a quick look")
    parser.add_argument("--out", type=Path, default=Path("runs/gradient_descent"), help="folder for the picture")
    args = parser.parse_args()
    main(Config(epochs=args.epochs), args.steps, args.out)
