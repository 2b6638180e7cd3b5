"""The facts that courses on convolutional networks teach, as they come out of this library's code.

    python experiments/worked_examples.py [--out runs/worked_examples]

Takes 10 seconds on 2 CPU cores. Prints each fact with its numbers, all of them computed, none typed in; where two
ways of computing should agree it prints the largest difference, which is 0 or rounding error (below 1e-12, as
everything runs in float64). Saves OUT/filters.png: kernels designed by hand, applied to a photograph.
"""

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import signal  # type: ignore[import-untyped]

from jaxcnn import models, ops
from jaxcnn.layers import Conv, chain, summary
from jaxcnn.ops import filters
from jaxcnn.ops.geometry import output_size, resolve_padding

NumpyArray = np.ndarray[Any, Any]


def main(out: Path) -> None:
    """Print every fact, section by section, and save the picture."""
    with jax.enable_x64(True):
        for number, section in enumerate(SECTIONS, 1):
            title = f"{number}. {section.__doc__}"
            print(f"\n{title}\n{'─' * len(title)}")
            section()
    print(f"\npicture: {picture(out)}")


def where_windows_lie() -> None:
    """Sliding a window"""
    for stride in (1, 2, 3):
        shape = ops.conv(jnp.ones((1, 7, 7, 1)), jnp.ones((3, 3, 1, 1)), stride=stride, padding="VALID").shape
        formula = f"floor((7 - 3) / {stride}) + 1 = {output_size(7, 3, stride=stride)}"
        print(f"7×7 input, 3×3 kernel, stride {stride}: {times(shape[1:3])} output; {formula}")
    print("With stride 3 the last row and column are never seen; the summary of that layer says so:")
    print(summary(chain(conv=Conv(1, 3, stride=3, padding="VALID")), (7, 7, 1)))
    for k in (1, 3, 5, 7):
        ((low, high),) = resolve_padding("SAME", "SAME", (7,), (k,), (1,), (1,))
        print(f"SAME padding for a window of {k}: {low} before and {high} after; ({k} - 1) / 2 = {(k - 1) // 2}")


def channels_and_filters() -> None:
    """Channels, filters and their parameters"""
    (row,) = summary(chain(conv=Conv(2, 3, padding="VALID")), (6, 6, 3)).rows
    print(f"6×6×3 image, two 3×3×3 filters, no padding: {times(row.shape)} output")
    for size in (6, 39, 224):
        (row,) = summary(chain(conv=Conv(10, 3)), (size, size, 3)).rows
        print(f"Ten 3×3×3 filters on a {size}×{size}×3 image: {row.trainable} parameters")
    rng = np.random.default_rng(0)
    image, weights, bias = rng.random((1, 32, 32, 3)), rng.standard_normal((5, 5, 3, 1)), np.array([0.5])
    window = image[0, 10:15, 20:25]
    dot = np.dot(window.ravel(), weights.ravel()) + bias[0]
    y = ops.conv(image, weights, bias, padding="VALID")
    print(f"A 32×32×3 image, flattened: {ops.flatten(image).shape[1]:,} numbers")
    print(f"One value of a 5×5×3 filter: a {window.size}-term dot product plus a bias = {dot:.6f}")
    print(f"  the same value by conv: {y[0, 10, 20, 0]:.6f}; {differ(y[0, 10, 20, 0], dot)}")


def networks() -> None:
    """Networks, layer by layer"""
    rows = summary(models.three_convs(10), (39, 39, 3)).rows
    shapes = " → ".join(times(row.shape) for row in rows if row.kind in ("Conv", "Flatten"))
    print(f"three_convs: 39×39×3 → {shapes} features → {times(rows[-1].shape)} classes")
    rng, model = np.random.default_rng(0), models.three_convs(10)
    image = jnp.asarray(rng.random((1, 39, 39, 3)))
    shapes, _ = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(image.shape, image.dtype))
    params = jax.tree.map(lambda p: jnp.asarray(rng.normal(0, 0.05, p.shape)), shapes)
    logits, _ = model.apply(params, {}, image)
    for head, formula in (("softmax", softmax), ("sigmoid", logistic)):
        y, _ = models.three_convs(10, head=head).apply(params, {}, image)
        print(f"  {head} head: {y.size} probabilities from {y.min():.4f} to {y.max():.4f}, their sum {y.sum():.4f}")
        print(f"  {head} head and its formula on the logits: {differ(y, formula(np.asarray(logits)))}")
    print("conv_blocks on 224×224×3, the first block:")
    for row in summary(models.conv_blocks(10), (224, 224, 3)).rows:
        if "1" in row.path.split("_")[0]:
            counts = f"{row.trainable + row.fixed:>6,} parameters" + f", {row.fixed} not trainable" * (row.fixed > 0)
            print(f"  {row.path:9} {times(row.shape):11} {counts}")
    for head in ("softmax", "sigmoid"):
        last = summary(models.conv_blocks(10, head=head), (224, 224, 3)).rows[-1]
        print(f"  with a {head} head the last layer is {last.path}, output {times(last.shape)}")


def a_cross_on_a_binary_image() -> None:
    """The 5×5 image and the 3×3 cross"""
    image = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    cross = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    y = correlate(image, cross)
    side_by_side({"image": image, "kernel": cross, "conv, VALID": y})
    print(f"conv and SciPy's correlate2d: {differ(y, signal.correlate2d(image, cross, 'valid'))}")


def two_filters_by_hand() -> None:
    """Two filters, stride 2, padding 1, by hand"""
    # A diagonal, a frame and the letter F.
    diagonal = [[2, 1, 0, 0, 0], [1, 2, 1, 0, 0], [0, 1, 2, 1, 0], [0, 0, 1, 2, 1], [0, 0, 0, 1, 2]]
    frame = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 2, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    letter = [[2, 2, 2, 2, 0], [2, 0, 0, 0, 0], [2, 2, 1, 0, 0], [2, 0, 0, 0, 0], [2, 0, 0, 0, 1]]
    image = np.moveaxis(np.array([diagonal, frame, letter], float), 0, -1)
    filter0 = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, -1, 0], [1, 0, 1], [0, -1, 0]],
        [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
    ]
    filter1 = [
        [[0, 0, 1], [0, -1, 0], [1, 0, 0]],
        [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
        [[0, 1, 0], [0, 1, -1], [0, 0, 0]],
    ]
    kernel = np.transpose(np.array([filter0, filter1], float), (2, 3, 1, 0))  # (filter, channel, h, w) to HWIO
    bias = np.array([1.0, 0.0])

    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    loop = np.zeros((3, 3, 2))
    for row, column, f in product(range(3), range(3), range(2)):
        window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        loop[row, column, f] = sum(window[i] * kernel[(*i, f)] for i in np.ndindex(3, 3, 3)) + bias[f]
    params = {"conv": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
    y, _ = models.two_filters().apply(params, {}, jnp.asarray(image[None]))

    side_by_side({f"padded input, channel {c}": padded[:, :, c] for c in range(3)})
    for f in range(2):
        side_by_side({f"filter {f}, channel {c}": kernel[:, :, c, f] for c in range(3)})
    print(f"{times(image.shape)} input → {times(y.shape[1:])} output")
    side_by_side({f"output of filter {f}, bias {bias[f]:g}": y[0, :, :, f] for f in range(2)})
    print("The centre of output 0 by hand, input times filter, from rows and columns 2 to 4 of the padded input:")
    window, by_hand = padded[2:5, 2:5], bias[0]
    for c in range(3):
        pairs = list(zip(window[:, :, c].ravel(), kernel[:, :, c, 0].ravel(), strict=True))
        by_hand += (total := sum(x * w for x, w in pairs))
        print(f"  channel {c}: {' + '.join(signed(x, w) for x, w in pairs)} = {total:g}")
    print(f"  the sum of the channels, plus bias {bias[0]:g}: {by_hand:g}")
    print(f"conv and the loop: {differ(y[0], loop)}")
    print(f"conv and by hand:  {differ(y[0, 1, 1, 0], by_hand)}")


def gradients_of_convolution() -> None:
    """The backward pass of convolution, written out (NCHW)"""
    x = np.arange(25.0).reshape(1, 1, 5, 5) % 7
    dout = np.array([[1.0, 2.0], [-1.0, 3.0]]).reshape(1, 1, 2, 2)
    dkernel = pulled_back(x, np.ones((3, 3, 1, 1)), dout, stride=2)[1]
    terms = {
        f"x[0,0,{h}:{h + 3},{w}:{w + 3}] · dout[0,0,{p},{q}]": (x[0, 0, h : h + 3, w : w + 3], dout[0, 0, p, q])
        for p, q in product(range(2), range(2))
        for h, w in [(2 * p, 2 * q)]
    }
    written_out = sum(window * d for window, d in terms.values())
    print("dw[0,0,:,:] of a 3×3 kernel, stride 2, is the sum of input windows times dout entries:")
    print("  dw[0,0,:,:] = " + "\n              + ".join(terms))
    side_by_side({"x[0,0]": x[0, 0], "dout[0,0]": dout[0, 0], "the sum": written_out, "dkernel": dkernel[:, :, 0, 0]})
    print(f"the sum and the handwritten dkernel: {differ(written_out, dkernel[:, :, 0, 0])}")

    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 3, 7, 7)), rng.standard_normal((3, 3, 3, 4))
    rotated = np.swapaxes(np.rot90(kernel, 2), 2, 3)  # turned by 180°, and from output to input channels
    print(f"On random numbers, x {times(x.shape)}, kernel {times(kernel.shape)}:")
    for stride in (1, 2):
        places = output_size(7, 3, stride=stride)
        dout = rng.standard_normal((2, 4, places, places))
        dx, dkernel, dbias = pulled_back(x, kernel, dout, stride=stride)
        written_out = np.zeros(kernel.shape)
        for p, q in product(range(places), repeat=2):
            window = x[:, :, stride * p : stride * p + 3, stride * q : stride * q + 3]
            written_out += np.einsum("nihw,no->hwio", window, dout[:, :, p, q])
        spread = np.zeros((2, 4, (places - 1) * stride + 1, (places - 1) * stride + 1))
        spread[:, :, ::stride, ::stride] = dout  # a stride puts stride - 1 zeros between the entries
        full = ops.conv(spread, rotated, padding="FULL", layout="NCHW")
        by_scipy = np.zeros(x.shape)
        for n, i, o in np.ndindex(2, 3, 4):
            by_scipy[n, i] += signal.convolve2d(spread[n, o], kernel[:, :, i, o], mode="full")
        print(f"  stride {stride}")
        print(f"    dkernel and the sum of windows times dout:      {differ(dkernel, written_out)}")
        print(f"    dbias and the sum of dout over batch and space: {differ(dbias, dout.sum((0, 2, 3)))}")
        print(f"    dx and FULL conv of dout, kernel rotated 180°:  {differ(dx, full)}")
        print(f"    dx and SciPy's full convolve2d of dout:         {differ(dx, by_scipy)}")


def gradients_of_pooling() -> None:
    """The backward pass of pooling"""
    x = np.array([[1.0, 5, 2, 2], [3, 4, 8, 0], [7, 7, 1, 2], [7, 0, 3, 4]])
    dy = np.array([[4.0, 8], [12, 16]])
    dmax, dmean = (
        jax.vjp(lambda x, pool=pool: pool(x, 2), x[None, :, :, None])[1](dy[None, :, :, None])[0][0, :, :, 0]
        for pool in (ops.max_pool, ops.avg_pool)
    )
    side_by_side({"x": x, "dy, 2×2 windows": dy, "dx of max pooling": dmax, "dx of mean pooling": dmean})
    print("Max pooling's gradient lands on the maximum alone; of equals (the three 7s) the first, row by row, gets it.")
    print(f"Mean pooling's gradient is shared evenly: {differ(dmean, np.kron(dy, np.ones((2, 2)) / 4))}")


def flipping_the_kernel() -> None:
    """Convolution proper and cross-correlation"""
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((6, 7)), rng.standard_normal((3, 3))
    convolution, correlation = (f(image, kernel, "valid") for f in (signal.convolve2d, signal.correlate2d))
    flipped = kernel[::-1, ::-1]
    print(f"SciPy's convolution and its cross-correlation:        {differ(convolution, correlation)}, not the same")
    print(f"SciPy's cross-correlation and conv:                   {differ(correlation, correlate(image, kernel))}")
    print(f"SciPy's convolution and conv with the kernel flipped: {differ(convolution, correlate(image, flipped))}")


SECTIONS = [
    where_windows_lie,
    channels_and_filters,
    networks,
    a_cross_on_a_binary_image,
    two_filters_by_hand,
    gradients_of_convolution,
    gradients_of_pooling,
    flipping_the_kernel,
]


def picture(out: Path) -> Path:
    """Save OUT/filters.png: a photograph through kernels designed by hand, each drawn in its panel's corner."""
    from matplotlib.figure import Figure
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")[18:228, 64:364].astype(np.float32) / 255
    grey = photo.mean(-1, keepdims=True)

    def through(taps: NumpyArray, image: NumpyArray = grey) -> NumpyArray:
        channels = image.shape[-1]
        kernel = filters.depthwise(taps, channels)
        return np.asarray(ops.conv(image[None], kernel, groups=channels, padding="VALID")[0])

    slope = np.hypot(through(filters.SOBEL_X), through(filters.SOBEL_Y))
    panels: list[tuple[str, NumpyArray | None, NumpyArray]] = [
        ("the photograph", filters.IDENTITY, through(filters.IDENTITY, photo)),
        ("box blur", filters.BOX_BLUR, through(filters.BOX_BLUR, photo)),
        ("Gaussian blur", filters.GAUSSIAN_BLUR, through(filters.GAUSSIAN_BLUR, photo)),
        ("sharpen", filters.SHARPEN, through(filters.SHARPEN, photo)),
        ("Laplacian, 4 neighbours", filters.LAPLACIAN_4, through(filters.LAPLACIAN_4)),
        ("Laplacian, 8 neighbours", filters.LAPLACIAN_8, through(filters.LAPLACIAN_8)),
        ("Sobel x: brighter to the right is red, darker is blue", filters.SOBEL_X, through(filters.SOBEL_X)),
        ("Sobel y: brighter downwards is red, darker is blue", filters.SOBEL_Y, through(filters.SOBEL_Y)),
        ("slope: √(Sobel x² + Sobel y²)", None, slope),
    ]
    figure = Figure(figsize=(16, 12), layout="constrained")
    for axes, (title, taps, y) in zip(figure.subplots(3, 3).flat, panels, strict=True):
        reach = np.quantile(abs(y), 0.99)
        if y.shape[-1] == 3:
            axes.imshow(y.clip(0, 1))
        elif taps is None:
            axes.imshow(y, cmap="gray_r", vmin=0, vmax=reach)
        else:
            axes.imshow(y, cmap="RdBu_r", vmin=-reach, vmax=reach)
        axes.set_title(title, fontsize=13, loc="left")
        axes.set_axis_off()
        if taps is not None:
            draw_kernel(axes.inset_axes((0.775, 0.68, 0.21, 0.3)), taps)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "filters.png", dpi=100)
    return out / "filters.png"


def draw_kernel(axes: Any, taps: NumpyArray) -> None:
    """The taps as coloured squares, each with its number, in units of the smallest."""
    unit = abs(taps[taps != 0]).min()
    axes.imshow(taps, cmap="RdBu_r", vmin=-abs(taps).max() * 1.6, vmax=abs(taps).max() * 1.6)
    for (row, column), value in np.ndenumerate(taps):
        axes.text(column, row, f"{value / unit:g}", ha="center", va="center", fontsize=36 / len(taps))
    axes.set_xticks([])
    axes.set_yticks([])
    if unit != 1:
        axes.set_xlabel(f"/ {1 / unit:.0f}", fontsize=11, labelpad=2)


def correlate(image: NumpyArray, kernel: NumpyArray) -> NumpyArray:
    """`conv` without padding on one image (h, w) and one kernel (kh, kw)."""
    y = ops.conv(image[None, :, :, None].astype(float), kernel[:, :, None, None].astype(float), padding="VALID")
    return np.asarray(y)[0, :, :, 0]


def pulled_back(x: NumpyArray, kernel: NumpyArray, dout: NumpyArray, stride: int) -> list[NumpyArray]:
    """(dx, dkernel, dbias) by the handwritten backward of an NCHW convolution without padding."""

    def convolve(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return ops.conv(x, kernel, bias, stride=stride, padding="VALID", layout="NCHW")

    _, pull = jax.vjp(convolve, x, kernel, np.zeros(kernel.shape[-1]))
    return [np.asarray(cotangent) for cotangent in pull(dout)]


def softmax(z: NumpyArray) -> NumpyArray:
    """e^z over the sum of e^z."""
    return np.asarray(np.exp(z) / np.exp(z).sum())


def logistic(z: NumpyArray) -> NumpyArray:
    """1 / (1 + e^-z)."""
    return np.asarray(1 / (1 + np.exp(-z)))


def differ(a: ArrayLike, b: ArrayLike) -> str:
    """The largest elementwise difference, in words."""
    return f"largest difference {np.max(np.abs(np.asarray(a) - np.asarray(b))):.1e}"


def times(shape: tuple[int, ...]) -> str:
    """(4, 4, 2) as 4×4×2, numbers from a thousand on with a comma."""
    return "×".join(f"{size:,}" for size in shape)


def signed(x: float, w: float) -> str:
    """A product as one writes it: 2·1, 2·(-1)."""
    return f"{x:g}·{w:g}" if w >= 0 else f"{x:g}·({w:g})"


def side_by_side(matrices: Mapping[str, ArrayLike]) -> None:
    """Print matrices next to each other, each under its title."""
    columns = []
    for title, matrix in matrices.items():
        texts = [[f"{value:g}" for value in row] for row in np.asarray(matrix)]
        wide = max(len(text) for row in texts for text in row)
        lines = [title, *(" ".join(text.rjust(wide) for text in row) for row in texts)]
        columns.append([line.ljust(max(map(len, lines))) for line in lines])
    for row in range(max(map(len, columns))):
        print("  " + "    ".join(c[row] if row < len(c) else " " * len(c[0]) for c in columns).rstrip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the facts that courses teach, as the code computes them.")
    parser.add_argument("--out", type=Path, default=Path("runs/worked_examples"), help="folder for the picture")
    main(parser.parse_args().out)
