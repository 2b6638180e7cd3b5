"""Does the memory of a streamed run grow with its dataset?

    python -m experiments.streamed_memory --pictures 20000,200000

makes folders of small JPEG pictures in a temporary place, trains on each for some steps with `jaxcnn train --stream
always`, and prints the largest memory that all of the run's processes together had, twice: all that lay in physical
memory (RSS; what several share is counted for each), and what was each one's own (USS). Results: experiments/README.md.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import tyro
from PIL import Image

CLASSES = 10
DIFFERENT = 1000  # pictures that differ; the others are hard links to these, to spare the disk


@dataclass(frozen=True)
class Config:
    """Peak memory of `jaxcnn train --stream always` on made folders of pictures."""

    pictures: str = "20000,200000"
    """How many each folder has."""
    image_size: int = 64
    """Pixels a side."""
    model: str = "lenet5"
    """What is trained."""
    workers: int = 2
    """Processes that decode."""
    seconds: int = 600
    """How long each run trains, at most one epoch."""
    batch_size: int = 128
    """Images of a step."""


def make(root: Path, count: int, size: int) -> int:
    """A folder of JPEG pictures in classes; returns how many bytes one has."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(DIFFERENT):
        file = BytesIO()
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
        coarse.resize((size, size), Image.Resampling.BILINEAR).save(file, "JPEG")
        files.append(file.getvalue())
    for i in range(CLASSES):
        (root / f"class{i}").mkdir(parents=True)
    for i in range(count):
        path = root / f"class{i % CLASSES}" / f"picture{i:07}.jpg"
        if i < DIFFERENT:
            path.write_bytes(files[i])
        else:
            path.hardlink_to(root / f"class{i % CLASSES}" / f"picture{i % DIFFERENT:07}.jpg")
    return sum(map(len, files)) // DIFFERENT


def peak(command: list[str]) -> tuple[str, float, dict[str, int], dict[str, int]]:
    """What the command printed, how long it took, and the largest sums of RSS and of USS, by kind of process."""
    began, largest = time.monotonic(), [{"sum": 0}, {"sum": 0}]
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(0.5)
            try:
                root = psutil.Process(process.pid)
                members = [root.memory_full_info(), *(p.memory_full_info() for p in root.children(recursive=True))]
            except psutil.Error:  # ended just now
                continue
            for i, sizes in enumerate(([m.rss for m in members], [m.uss for m in members])):
                if sum(sizes) > largest[i]["sum"]:
                    largest[i] = {"sum": sum(sizes), "training process": sizes[0], "workers": sum(sizes[1:])}
        printed.seek(0)
        if process.returncode not in (0, 1):
            raise RuntimeError(printed.read())
        return printed.read(), time.monotonic() - began, *largest


def main(config: Config) -> None:
    for count in map(int, config.pictures.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            size = make(Path(folder) / "pictures", count, config.image_size)
            print(f"{count:,} pictures of {size:,} bytes, made in {time.monotonic() - began:.0f} s", flush=True)
            command = [sys.executable, "-m", "jaxcnn", "train", "--data", f"{folder}/pictures"]
            command += ["--model", config.model, "--epochs", "1", "--batch-size", str(config.batch_size)]
            command += ["--stream", "always", "--workers", str(config.workers)]
            command += ["--max-time", str(config.seconds), "--out", f"{folder}/run"]
            text, seconds, rss, uss = peak(command)
            print(next(line for line in text.splitlines() if line.startswith("images: ")))
            print(next((line for line in text.splitlines() if line.startswith("stopped")), "one epoch").split(";")[0])
            for name, sizes in (("RSS", rss), ("USS", uss)):
                print(f"  {name}: " + ", ".join(f"{what} {bytes / 1e6:,.0f} MB" for what, bytes in sizes.items()))
            print(f"  {seconds:.0f} s in all", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Config))
