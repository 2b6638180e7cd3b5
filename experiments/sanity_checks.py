"""Does a map of what a network looks at depend on what the network has learned?

    python -m experiments.sanity_checks [--out runs/sanity_checks]

Takes 2 minutes on 2 CPU cores. The weights of EfficientNet-Lite0 (see `imagenet_pictures`) are shuffled within each
kernel, from the head downwards: first the head's, then those of the layer below as well, down to the first convolution
(cascading randomisation). After each step the maps for the class that the whole network sees in the pictures are
compared with the first ones, by Spearman's rank correlation of their absolute values. Claim: with the head's kernel
alone shuffled saliency, SmoothGrad and Grad-CAM are below 0.5, and guided backpropagation and the deconvnet still above
0.99: they show the picture's edges, and are no evidence of what the network has learned. OUT/sanity_checks.jpg shows
the maps of one picture and the correlations, the mean of the pictures.
Source: Adebayo et al. 2018, "Sanity checks for saliency maps", sections 3 and 4.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from jax import Array

from experiments.imagenet_pictures import lite0, photographs, seen
from jaxcnn import explain
from jaxcnn.layers import Params
from jaxcnn.layers.base import fold
from jaxcnn.layers.walk import name_of
from jaxcnn.report import style

METHODS = {
    "saliency": explain.saliency,
    "SmoothGrad": lambda *given: explain.smooth_grad(*given, key=jax.random.key(1), samples=10),
    "guided backprop": explain.guided_backprop,
    "deconvnet": explain.deconvnet,
    "Grad-CAM": explain.grad_cam,
}
COLOURS = dict(zip(METHODS, (style.FIRST, "#56B4E9", style.SECOND, "#E69F00", "#009E73"), strict=True))
# From the head downwards: what is shuffled, besides what was before.
STEPS = {
    "head": "head",
    "last": "conv_last",
    **{f"stage {i}": f"block{i}_.*" for i in range(7, 0, -1)},
    "first": "conv",
}


def cascade(params: Params, key: Array) -> Iterator[tuple[str, Params]]:
    """The parameters with more and more kernels shuffled, and the last step's name."""
    yield "none", params
    for step, pattern in STEPS.items():

        def shuffled(path: tuple[jax.tree_util.DictKey, ...], a: Array, pattern: str = pattern) -> Array:
            there = re.fullmatch(pattern, str(path[0].key)) and path[-1].key == "kernel"
            return jax.random.permutation(fold(key, name_of(path)), a.ravel()).reshape(a.shape) if there else a

        params = jax.tree.map_with_path(shuffled, params)
        yield step, params


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ of the absolute values of two maps; 0 where one is constant."""
    from scipy.stats import rankdata

    first, second = (rankdata(np.abs(m).ravel()) for m in (a, b))
    return 0.0 if min(first.std(), second.std()) == 0 else float(np.corrcoef(first, second)[0, 1])


def main(out: Path, steps: int = len(STEPS)) -> dict[str, dict[str, float]]:
    """For each method the correlation after each step."""
    net = lite0()
    pixels, x = seen(net, list(photographs().values())[:4])
    classes = net.network(net.params, net.state, x).argmax(-1)
    maps: dict[str, dict[str, np.ndarray]] = {method: {} for method in METHODS}
    for step, params in list(cascade(net.params, jax.random.key(0)))[: steps + 1]:
        for name, method in METHODS.items():
            maps[name][step] = np.asarray(method(net.network, params, net.state, x, classes))
    found = {
        name: {step: float(np.mean([*map(rank_correlation, of["none"], each)])) for step, each in of.items()}
        for name, of in maps.items()
    }
    print(f"{'':<16}" + "".join(f"{step:>9}" for step in found["saliency"]))
    for name, each in found.items():
        print(f"{name:<16}" + "".join(f"{rho:9.2f}" for rho in each.values()))
    draw(pixels[-1], {name: {step: m[-1:] for step, m in of.items()} for name, of in maps.items()}, found, out)
    return found


def draw(
    pixels: np.ndarray, maps: dict[str, dict[str, np.ndarray]], found: dict[str, dict[str, float]], out: Path
) -> None:
    """A row of maps for each method, and the correlations beneath."""
    out.mkdir(parents=True, exist_ok=True)
    steps = list(found["saliency"])
    title = "Maps of EfficientNet-Lite0 whose kernels are shuffled, from the head downwards"
    figure = style.figure(1.1 * (len(steps) + 1), 1.1 * len(maps) + 3.5, title)
    above, below = figure.subfigures(2, 1, height_ratios=(1.1 * len(maps) + 0.4, 3))
    axes = above.subplots(len(maps), len(steps) + 1, squeeze=False)
    for row, (name, of) in enumerate(maps.items()):
        shown = [pixels, *(np.asarray(explain.heat(m, pixels.shape[:2]))[0] for m in of.values())]
        for column, picture in enumerate(shown):
            at = axes[row, column]
            at.imshow(picture, cmap="gray", vmin=0, vmax=255 if column == 0 else 1)
            at.set(xticks=[], yticks=[])
            at.spines[:].set_visible(False)
            if row == 0:
                at.set_title("the picture" if column == 0 else steps[column - 1], fontsize=8, color=style.INK)
        axes[row, 0].set_ylabel(name, fontsize=8, color=style.INK)
    plot = below.subplots()
    for name, each in found.items():
        plot.plot(steps, list(each.values()), marker="o", markersize=4, color=COLOURS[name], label=name)
    style.tidy(plot, "kernels shuffled down to", "rank correlation with the first maps")
    plot.legend(**style.LEGEND)
    figure.savefig(out / "sanity_checks.jpg", dpi=100, pil_kwargs={"quality": 80})
    print(f"picture {out / 'sanity_checks.jpg'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/sanity_checks"), help="folder for the picture")
    main(parser.parse_args().out)
