"""Every network of the zoo as an ONNX file: do ONNX Runtime's logits equal ours, and those with batch norms folded?

    python -m experiments.onnx_zoo [--models resnet18 unet ...] [--side 96]

Needs `pip install "jaxcnn[onnx]" onnxruntime`. Each network has random weights, of its published width, as many classes
as published, and random images, two of `side` pixels a side, or fewer where it was made for fewer. Printed are the size
of its file and the largest difference of two logits as a share of the largest logit: between ONNX Runtime and JAX, and
between JAX with batch norms folded and without. The checker of the package onnx reads each file whole. Claim: at most
1e-4, and 1e-5 but for rounding.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table

from jaxcnn import models
from jaxcnn.interop.onnx.write import dump
from jaxcnn.layers import fold_batch_norm
from tests.models.weights import random_weights


class Compared(NamedTuple):
    """Bytes of the file, and the two differences."""

    size: int
    onnx: float
    folded: float


def compared(name: str, side: int) -> Compared:
    """The network called `name` in the three ways, on the same images."""
    network = models.create(name)
    height, width, channels = models.ABOUT[name].image_shape
    shape = (min(side, height), min(side, width), channels)
    params, state = random_weights(network, shape)
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    ours = np.asarray(jax.jit(network)(params, state, x))
    file = dump(network, params, state, shape)
    onnx.checker.check_model(onnx.load_from_string(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    theirs = np.moveaxis(session.run(None, {"images": np.moveaxis(x, -1, 1)})[0], 1, -1)
    folded, *weights = fold_batch_norm(network, params, state)
    shares = [np.abs(y - ours).max() / np.abs(ours).max() for y in (theirs, jax.jit(folded)(*weights, x))]
    return Compared(len(file), *map(float, shares))


def main(names: Sequence[str], side: int) -> dict[str, Compared]:
    """Compare each of them; printed as a table."""
    table = Table("network", "MB", "ONNX Runtime", "folded")
    found = {}
    for name in names:
        found[name] = compared(name, side)
        cells = f"{found[name].size / 1e6:.1f}", f"{found[name].onnx:.1e}", f"{found[name].folded:.1e}"
        table.add_row(name, *cells)
        print(name, *cells, flush=True)
        jax.clear_caches()
    Console().print(table)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", dest="names", nargs="+", default=list(models.MODELS), help="(default all)")
    parser.add_argument("--side", type=int, default=96, help="pixels a side, at most (default 96)")
    main(**vars(parser.parse_args()))
