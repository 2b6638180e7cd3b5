"""The edge of stability: gradient descent makes its loss sharper, until it is as sharp as the step allows.

    python experiments/sharpness.py [--steps 600] [--out runs/sharpness]

Takes 4.5 minutes of CPU time (14 minutes on 2 loaded cores). LeNet-5 with tanh and average pooling learns the digits
by gradient descent with all 1,437 images in every step, from one start with each of three rates η. Its loss is
½|f(x) - t|², t the one-hot label: cross-entropy gets flat as a network becomes sure of its answers, which would hide
the effect. Along the way the sharpness λ is measured, the largest eigenvalue of the Hessian H. On a quadratic, gradient
descent diverges where λ > 2/η. Here λ rises to 2/η and hovers just above it; the loss, which fell with every step
before, has spikes from there on, and falls all the same. Three claims, checked and printed:

* `hovers`: from where it reaches 2/η on, λ is on average between 0.9 and 1.25 times 2/η.
* `smooth before`: the loss has not risen in any step up to the last measurement below 2/η.
* `Gauss-Newton`: the largest eigenvalue of G = Jᵀ H_L J is that of H within 15 %. H = G + Σ ∂L/∂f ∂²f, the sum over
  all outputs f of all images, and H_L is constant for this loss: so it is the network's first derivative J that grows.

Both matrices are only multiplied by vectors, and each product takes both modes of differentiation through the same
handwritten rules: H v is the tangent of the gradient (forward over reverse); for G v, the tangent of the outputs gives
that of the loss's gradient, which is pulled back. Printed first is how far H v is from autodiff's of the plain
forwards. Lanczos (SciPy's `eigsh`) finds the largest eigenvalue by such products. OUT/sharpness.png shows λ and the
loss.
Sources: Cohen, Kaur, Li, Kolter & Talwalkar 2021, "Gradient descent on neural networks typically occurs at the edge of
stability"; Pearlmutter 1994, "Fast exact multiplication by the Hessian"; Schraudolph 2002, "Fast curvature
matrix-vector products for second-order gradient descent".
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigsh  # type: ignore[import-untyped]

import jaxcnn
from jaxcnn import data, models, ops
from jaxcnn.layers import Layer
from jaxcnn.report import style

NET = models.lenet5(activation="tanh", pool="avg")
Params = Any
Product = Callable[[Params], Params]  # a symmetric matrix times a vector that is shaped like the parameters


@dataclass(frozen=True)
class Config:
    rates: tuple[float, ...] = (0.1, 0.2, 0.4)
    steps: int = 600
    every: int = 25  # steps from one measurement to the next
    seed: int = 0


@dataclass
class Trace:
    """The loss before each step and at the end, and what was measured before some of them."""

    rate: float
    losses: list[float] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    hessian: list[float] = field(default_factory=list)
    gauss_newton: list[float] = field(default_factory=list)

    @property
    def edge(self) -> list[float]:
        """λ as a multiple of 2/η, where it was measured."""
        return [sharpness * self.rate / 2 for sharpness in self.hessian]

    @property
    def reached(self) -> int | None:
        """The first measurement at 2/η or above it."""
        return next((i for i, multiple in enumerate(self.edge) if multiple >= 1), None)


def loss_of_outputs(outputs: Any, targets: Any) -> Any:
    """½|f(x) - t|², the mean over the images; `ops.mse` is the mean over the classes."""
    return outputs.shape[-1] / 2 * ops.mse(outputs, targets).mean()


def loss(net: Layer, params: Params, images: Any, targets: Any) -> Any:
    """That of the network's outputs."""
    return loss_of_outputs(net.apply(params, {}, images, train=True)[0], targets)


@partial(jax.jit, static_argnums=0)
def step(net: Layer, params: Params, rate: float, images: Any, targets: Any) -> tuple[Params, Any]:
    """W ← W - η ∂L/∂W, and the loss before."""
    before, gradient = jax.value_and_grad(partial(loss, net))(params, images, targets)
    return jax.tree.map(lambda w, g: w - rate * g, params, gradient), before


@partial(jax.jit, static_argnums=0)
def hessian_product(net: Layer, params: Params, images: Any, targets: Any, v: Params) -> Params:
    """H v = ∂/∂ε ∇L(params + ε v): forward over reverse."""
    gradient = jax.grad(partial(loss, net))
    return jax.jvp(lambda w: gradient(w, images, targets), (params,), (v,))[1]


@partial(jax.jit, static_argnums=0)
def gauss_newton_product(net: Layer, params: Params, images: Any, targets: Any, v: Params) -> Params:
    """Jᵀ H_L J v, with J the derivative of the outputs and H_L the loss's Hessian in them: forward, then reverse."""

    def network(w: Params) -> Any:
        return net.apply(w, {}, images, train=True)[0]

    outputs, moved = jax.jvp(network, (params,), (v,))
    bent = jax.jvp(jax.grad(lambda f: loss_of_outputs(f, targets)), (outputs,), (moved,))[1]
    return jax.vjp(network, params)[1](bent)[0]


def largest(product: Product, like: Params) -> float:
    """The largest eigenvalue by Lanczos, for vectors v that are shaped `like` this.

    |A v - λ v| is at most a hundredth of λ|v|, and the error of λ is of the order of that squared. The start is always
    random: from the eigenvector of the last measurement it takes a fifth fewer products, but where the two largest
    eigenvalues have changed places meanwhile, it ends at the second.
    """
    flat, unravel = ravel_pytree(like)
    matrix = LinearOperator((flat.size, flat.size), lambda v: ravel_pytree(product(unravel(v)))[0], dtype=flat.dtype)
    start = np.random.default_rng(0).standard_normal(flat.size).astype(flat.dtype)
    (value,) = eigsh(matrix, k=1, which="LA", v0=start, tol=1e-2, ncv=8, return_eigenvectors=False)
    return float(value)


def descend(config: Config, rate: float, net: Layer, start: Params, images: Any, targets: Any) -> Trace:
    """Gradient descent from `start`, measured on its way. Raises FloatingPointError where it diverges."""
    trace, params = Trace(rate), start
    for done in range(config.steps + 1):
        moved, before = step(net, params, rate, images, targets)
        if not np.isfinite(before):
            raise FloatingPointError(f"η = {rate}: the loss is {before} after {done} steps; expected a smaller η.")
        trace.losses.append(float(before))
        if done % config.every == 0:
            at = net, params, images, targets
            trace.measured.append(done)
            trace.hessian.append(largest(partial(hessian_product, *at), params))
            trace.gauss_newton.append(largest(partial(gauss_newton_product, *at), params))
        params = moved
    return trace


def prepare(net: Layer, seed: int) -> tuple[Params, Any, Any]:
    """Parameters, images, one-hot labels. Weights have the variance 1/(3 fan-in), as PyTorch draws them.

    That of He et al., six times as much, starts above 2/η for the rates here: then there is nothing left to rise.
    """
    digits = data.load("digits")
    images = data.normalise(digits.train_images, *data.statistics(digits.train_images))
    params, _ = net.init(jax.random.key(seed), jax.ShapeDtypeStruct((1, *digits.image_shape), jnp.float32))
    return jax.tree.map(lambda w: w / 6**0.5, params), images, jnp.eye(10)[digits.train_labels]


def difference_from_autodiff(net: Layer, params: Params, images: Any, targets: Any) -> float:
    """|H v - autodiff's| / |autodiff's| for v = params."""
    ours = ravel_pytree(hessian_product(net, params, images, targets, params))[0]
    with jaxcnn.backward("autodiff"):
        derived = ravel_pytree(hessian_product(net, params, images, targets, params))[0]
    return float(jnp.linalg.norm(ours - derived) / jnp.linalg.norm(derived))


def claims(trace: Trace) -> dict[str, bool]:
    """Which of the three hold; those on the edge only where it was reached."""
    apart = np.divide(trace.gauss_newton, trace.hessian) - 1
    held = {"Gauss-Newton": bool(np.abs(apart).max() <= 0.15)}
    if trace.reached is not None:
        calm = np.diff(trace.losses[: trace.measured[max(0, trace.reached - 1)] + 1])
        held["hovers"] = bool(0.9 <= np.mean(trace.edge[trace.reached :]) <= 1.25)
        held["smooth before"] = bool((calm <= 0).all())
    return held


def describe(trace: Trace) -> str:
    """The numbers, and the claims."""
    rises, ratio = np.flatnonzero(np.diff(trace.losses) > 0), np.divide(trace.gauss_newton, trace.hessian)
    loss_line = f"loss {trace.losses[0]:.3f} to {trace.losses[-1]:.3f} in {len(trace.losses) - 1} steps"
    if len(rises):
        loss_line += f", of which {len(rises)} made it larger, step {rises[0] + 1} as the first"
    if trace.reached is None:
        sharpness = f"λ from {trace.hessian[0]:.2f} to {trace.hessian[-1]:.2f}; 2/η = {2 / trace.rate:g} not reached"
    else:
        since = trace.edge[trace.reached :]
        sharpness = (
            f"λ from {trace.hessian[0]:.2f} to 2/η = {2 / trace.rate:g} by step {trace.measured[trace.reached]}, from "
            f"there on {np.mean(since):.2f} times 2/η on average, {min(since):.2f} to {max(since):.2f}"
        )
    return "\n  ".join(
        (
            f"η = {trace.rate}: {loss_line}",
            sharpness,
            f"Gauss-Newton's largest eigenvalue is {ratio.min():.3f} to {ratio.max():.3f} times λ",
            ", ".join(f"{name}: {'holds' if held else 'FAILS'}" for name, held in claims(trace).items()),
        )
    )


def main(config: Config, out: Path) -> list[Trace]:
    """Every rate from the same start; printed and drawn."""
    start, images, targets = prepare(NET, config.seed)
    apart = difference_from_autodiff(NET, start, images, targets)
    print(f"H v by the handwritten rules and by autodiff: {apart:.1e} of its length apart (float32)", flush=True)
    traces = []
    for rate in config.rates:
        traces.append(descend(config, rate, NET, start, images, targets))
        print(describe(traces[-1]), flush=True)
    draw(traces, out)
    print(f"picture {out / 'sharpness.png'}")
    return traces


def draw(traces: list[Trace], out: Path) -> None:
    """λ with 2/η dashed, and the loss."""
    out.mkdir(parents=True, exist_ok=True)
    figure = style.figure(8.5, 3.7, "Gradient descent on the digits, LeNet-5: λ rises to 2/η and hovers there")
    left, right = figure.subplots(1, 2)
    for trace, color in zip(traces, (style.FIRST, style.SECOND, style.INK), strict=False):
        edge = 2 / trace.rate
        left.plot(trace.measured, trace.hessian, color=color, linewidth=1.6)
        left.plot(trace.measured, trace.gauss_newton, "o", color=color, markersize=2.5)
        left.axhline(edge, color=color, linewidth=1, linestyle="--")
        at = {"transform": left.get_yaxis_transform(), "ha": "right", "va": "top", "fontsize": 9}
        left.text(1, 0.98 * edge, f"2/η = {edge:g}", color=color, **at)
        right.plot(trace.losses, color=color, linewidth=1.2, label=f"η = {trace.rate}")
    for look, label in (("-", "of H, the sharpness λ"), ("o", "of Gauss-Newton's G"), ("--", "2/η")):
        left.plot([], [], look, color=style.QUIET, linewidth=1.2, markersize=2.5, label=label)
    style.tidy(left, "step", "largest eigenvalue")
    style.tidy(right, "step", "loss over the training set")
    for axes, ticks in ((left, (3, 5, 10, 20)), (right, (0.03, 0.05, 0.1, 0.2, 0.5))):
        axes.set_yscale("log")
        axes.set_yticks(ticks, list(map(str, ticks)))
        axes.minorticks_off()
        axes.legend(**style.LEGEND)
    style.save(figure, out / "sharpness.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=Config().steps, help="steps of each run")
    parser.add_argument("--out", type=Path, default=Path("runs/sharpness"), help="folder for the picture")
    args = parser.parse_args()
    main(Config(steps=args.steps), args.out)
