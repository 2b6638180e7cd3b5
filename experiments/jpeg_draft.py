"""What a JPEG decoded at 1/2, 1/4 or 1/8 of its size (libjpeg's scaled DCT, Pillow's `draft`) would save, and change.

    python -m experiments.jpeg_draft

Scikit-learn's two photographs are enlarged, given a camera's noise, and brought to squares of `image_size` pixels as
`jaxcnn.data` does it, and from the smallest scale that still has `gap` times as many pixels. Printed are processor
milliseconds of a picture, and by how much of 255 the pixels differ. It takes half a minute. Results: README.md here.
"""

import time
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_sample_images

from jaxcnn.data.pictures import Fit, decode

WIDTHS, SIZES, GAPS = (640, 1600, 4000), (64, 224), (2, 3)
REPEATS = 5


def photographs(width: int) -> Iterator[bytes]:
    """JPEG files of that width."""
    rng = np.random.default_rng(0)
    for pixels in load_sample_images().images:
        height = round(width * len(pixels) / pixels.shape[1])
        large = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC), np.float32)
        noisy = np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
        file = BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=90)
        yield file.getvalue()


def scale_of(shorter: int, image_size: int, gap: int) -> int:
    """The largest of libjpeg's scales that leaves the shorter side `gap` times as long as is wanted."""
    return max(scale for scale in (1, 2, 4, 8) if scale == 1 or shorter / scale >= gap * image_size)


def decoded(file: bytes, image_size: int) -> np.ndarray:
    """As `jaxcnn.data` does it."""
    return decode(BytesIO(file), Fit(image_size))


def drafted(file: bytes, image_size: int, gap: int) -> np.ndarray:
    """The same from a smaller scale."""
    with Image.open(BytesIO(file)) as picture:
        width, height = picture.size
        scale = scale_of(min(picture.size), image_size, gap)
        picture.draft("RGB", (width // scale, height // scale))
        return np.asarray(ImageOps.fit(picture, (image_size, image_size), Image.Resampling.BILINEAR))


def timed(read, *arguments) -> tuple[float, np.ndarray]:
    """Milliseconds of processor time, the least of a few, and the pixels."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        pixels = read(*arguments)
        times.append(1e3 * (time.process_time() - began))
    return min(times), pixels


def main() -> None:
    table = Table("photograph", "image_size", "gap", "scale", "decode ms", "draft ms", "mean |Δ|", "99 % of |Δ| below")
    for width in WIDTHS:
        files = list(photographs(width))
        for image_size in SIZES:
            whole = [timed(decoded, file, image_size) for file in files]
            for gap in GAPS:
                height = round(width * 427 / 640)
                scale = scale_of(height, image_size, gap)
                if scale == 1:
                    continue
                less = [timed(drafted, file, image_size, gap) for file in files]
                change = np.abs(np.stack([p for _, p in whole]).astype(int) - np.stack([p for _, p in less]))
                row = [f"{width} × {height}", str(image_size), str(gap), f"1/{scale}"]
                row += [f"{np.mean([t for t, _ in of]):.1f}" for of in (whole, less)]
                table.add_row(*row, f"{change.mean():.2f}", f"{np.quantile(change, 0.99):.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
