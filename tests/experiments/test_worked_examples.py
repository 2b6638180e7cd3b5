"""The worked examples print every fact, and their picture is a picture."""

import contextlib
import io
import re

import numpy as np
import pytest
from PIL import Image

from experiments import worked_examples


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What `main` printed, and its folder; run once."""
    out = tmp_path_factory.mktemp("runs") / "new" / "worked_examples"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        worked_examples.main(out)
    return printed.getvalue(), out


@pytest.mark.parametrize(
    "line",
    [
        "7×7 input, 3×3 kernel, stride 1: 5×5 output; floor((7 - 3) / 1) + 1 = 5",
        "7×7 input, 3×3 kernel, stride 2: 3×3 output; floor((7 - 3) / 2) + 1 = 3",
        "7×7 input, 3×3 kernel, stride 3: 2×2 output; floor((7 - 3) / 3) + 1 = 2",
        "│ 1 row, 1 column │",
        "SAME padding for a window of 5: 2 before and 2 after; (5 - 1) / 2 = 2",
        "6×6×3 image, two 3×3×3 filters, no padding: 4×4×2 output",
        "Ten 3×3×3 filters on a 224×224×3 image: 280 parameters",
        "A 32×32×3 image, flattened: 3,072 numbers",
        "One value of a 5×5×3 filter: a 75-term dot product plus a bias",
        "39×39×3 → 37×37×10 → 17×17×20 → 7×7×40 → 1,960 features → 10 classes",
        "conv1_1   224×224×32     896 parameters",
        "conv1_2   224×224×32   9,248 parameters",
        "pool1     112×112×32       0 parameters",
        "bn1       112×112×32     128 parameters, 64 not trainable",
        "dropout1  112×112×32       0 parameters",
        "  image        kernel    conv, VALID\n  1 1 1 0 0    1 0 1     4 3 4\n  0 1 1 1 0    0 1 0     2 4 3\n",
        "5×5×3 input → 3×3×2 output",
        "channel 0: 2·1 + 1·0 + 0·0 + 1·0 + 2·1 + 1·0 + 0·0 + 1·0 + 2·1 = 6",
        "the sum of the channels, plus bias 1: 9",
        "dw[0,0,:,:] = x[0,0,0:3,0:3] · dout[0,0,0,0]",
    ],
)
def test_prints(run, line):
    assert line in run[0]


def test_what_should_agree_agrees_to_rounding_and_what_should_not_does_not(run):
    found = re.findall(r"largest difference (\S+?)(, not the same)?$", run[0], re.MULTILINE)
    same = [float(number) for number, apart in found if not apart]
    apart = [float(number) for number, apart in found if apart]
    assert len(same) == 18
    assert max(same) < 1e-12
    assert len(apart) == 1
    assert apart[0] > 1


def test_saves_the_picture(run):
    with Image.open(run[1] / "filters.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1600, 1200)
        pixels = np.asarray(picture.convert("RGB"), float)
    panels = [panel for row in np.array_split(pixels, 3) for panel in np.array_split(row, 3, axis=1)]
    assert len(panels) == 9
    assert min(panel.std() for panel in panels) > 20, "a panel is blank"
