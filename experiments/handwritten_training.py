"""Training by backpropagation alone: LeNet-5 on the digits, without `jax.grad` and with it, from the same start.

    python experiments/handwritten_training.py [--epochs 3] [--steps N] [--out runs/handwritten_training]

Takes 15 seconds on 2 CPU cores. One run gets its gradients from `jaxcnn.backprop`, which pulls δ back through one
handwritten backward pass after the other; the other from `jax.grad` under `backward("autodiff")`, where JAX derives
all of them itself. Both train in float64 with W ← W - η ∂L/∂W. After the first epoch their parameters should differ by
at most 1e-9 (measured: 2e-16), and the two loss curves lie on each other: OUT/losses.png.
Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn
from jaxcnn import data, models, ops
from jaxcnn.data.batches import train_batches
from jaxcnn.report import style


@dataclass(frozen=True)
class Config:
    epochs: int = 3
    batch_size: int = 32
    rate: float = 0.05
    seed: int = 0


NET = models.lenet5()
Params = Any
Gradient = Callable[[Params, Any, Any], tuple[Any, Params]]  # (params, images, labels) -> (mean loss, gradients)


def by_hand(params: Params, images: Any, labels: Any) -> tuple[Any, Params]:
    """Layer by layer in reverse, each through its own backward."""
    result = jaxcnn.backprop(NET, params, {}, (images, labels), ops.softmax_cross_entropy)
    return result.loss, result.gradients


def by_jax(params: Params, images: Any, labels: Any) -> tuple[Any, Params]:
    """JAX differentiates the plain forwards."""

    def mean_loss(params: Params) -> Any:
        logits, _ = NET.apply(params, {}, images, train=True)
        return ops.softmax_cross_entropy(logits, labels).mean()

    with jaxcnn.backward("autodiff"):
        return jax.value_and_grad(mean_loss)(params)


def train(gradient: Gradient, config: Config, steps: int | None) -> tuple[list[float], list[Params]]:
    """The loss of every step, and the parameters after every epoch; at most `steps` steps."""
    digits = data.load("digits")
    mean, std = data.statistics(digits.train_images)
    start, _ = NET.init(jax.random.key(config.seed), jax.ShapeDtypeStruct((1, *digits.image_shape), jnp.float64))

    @jax.jit
    def step(params: Params, images: Any, labels: Any) -> tuple[Params, Any]:
        loss, gradients = gradient(params, data.normalise(images, mean, std).astype(jnp.float64), labels)
        return jax.tree.map(lambda w, g: w - config.rate * g, params, gradients), loss

    params, losses, after = start, [], []
    for epoch in range(config.epochs):
        batches = train_batches(
            digits.train_images, digits.train_labels, batch_size=config.batch_size, seed=config.seed, epoch=epoch
        )
        for images, labels in batches:
            if len(losses) == steps:
                break
            params, loss = step(params, images, labels)
            losses.append(float(loss))
        after.append(params)
    return losses, after


def difference(a: Params, b: Params) -> float:
    """The largest difference of any parameter."""
    return max(float(abs(p - q).max()) for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def main(config: Config, steps: int | None, out: Path) -> float:
    """Train both, print and draw; the largest difference of a parameter after one epoch."""
    with jax.enable_x64(True):
        hand, after_hand = train(by_hand, config, steps)
        derived, after_derived = train(by_jax, config, steps)
        differences = [difference(a, b) for a, b in zip(after_hand, after_derived, strict=True)]
    print(f"loss of the first and the last of {len(hand)} steps: {hand[0]:.4f}, {hand[-1]:.4f}")
    print(f"largest difference of two losses: {np.max(np.abs(np.subtract(hand, derived))):.1e}")
    for epoch, apart in enumerate(differences, 1):
        print(f"largest difference of a parameter after epoch {epoch}: {apart:.1e}")
    out.mkdir(parents=True, exist_ok=True)
    figure = style.figure(7, 4, "LeNet-5 on the digits: two ways to the same gradients")
    axes = figure.subplots()
    axes.plot(hand, color=style.FIRST, linewidth=3.5, label="backprop, by hand")
    axes.plot(derived, color=style.SECOND, linewidth=1, label="jax.grad, derived")
    style.tidy(axes, "step", "loss of the batch")
    axes.set_yscale("log")
    axes.legend(**style.LEGEND)
    style.save(figure, out / "losses.png")
    print(f"picture {out / 'losses.png'}")
    return differences[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=Config().epochs, help="passes over the training set")
    parser.add_argument("--steps", type=int, help="stop after this many, for a quick look")
    parser.add_argument("--out", type=Path, default=Path("runs/handwritten_training"), help="folder for the picture")
    args = parser.parse_args()
    main(Config(epochs=args.epochs), args.steps, args.out)
