"""How many requests does `jaxcnn serve` answer, and how fast, beside the bare jitted call?

    python -m experiments.serve_load runs/demo [--clients 1,8,32] [--requests 3000]

starts the server, and asks it from a second process on the same machine: so many clients, each with one connection,
on which it sends a picture of the network's size and waits for the answer before it sends the next. Beside that stands
what the network alone takes for as many pictures at once, in this process, before the server is started. It prints the
table of experiments/BENCHMARKS.md, which takes about a minute.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import psutil
import tyro
from PIL import Image

if TYPE_CHECKING:  # the process that asks needs none of it
    from jaxcnn.train.model import Model


@dataclass(frozen=True)
class Config:
    """Requests a second, and the time of each, by number of clients."""

    run: tyro.conf.Positional[Path]
    """A run folder, or a model folder."""
    clients: str = "1,8,32"
    """How many ask at once, in turn."""
    requests: int = 3000
    """How many are sent in all, by each number of clients."""


def picture(model: "Model") -> bytes:
    """The file of a picture of the network's size: a PNG of smooth noise."""
    height, width, channels = model.image_shape
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    drawn = Image.fromarray(coarse).resize((width, height)).convert("L" if channels == 1 else "RGB")
    file = BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def bare(model: "Model", size: int) -> float:
    """Seconds of the jitted call for so many pictures: the median of as many calls as take a second, 5 at least."""
    from jaxcnn.train.predict import predictor

    step, images = predictor(model), np.zeros((size, *model.image_shape), np.uint8)
    step(model.params, model.state, images).block_until_ready()
    seconds: list[float] = []
    while len(seconds) < 5 or sum(seconds) < 1:
        start = time.perf_counter()
        np.asarray(step(model.params, model.state, images))
        seconds.append(time.perf_counter() - start)
    return median(seconds)


async def ask(port: int, content: bytes, clients: int, requests: int) -> dict[str, float]:
    """Send the picture so many times; seconds in all, and of a request the median and the 99th percentile."""
    lines = ["POST /predict HTTP/1.1", "Host: localhost", "Content-Type: image/png", f"Content-Length: {len(content)}"]
    request = "\r\n".join([*lines, "", ""]).encode() + content
    seconds: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(number):
            start = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer)
            if not answer.startswith(b"HTTP/1.1 200") or length is None:
                raise RuntimeError(answer.decode())
            await reader.readexactly(int(length[1]))
            seconds.append(time.perf_counter() - start)
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(client(len(range(i, requests, clients))) for i in range(clients)))
    whole = time.perf_counter() - start
    return {"seconds": whole, "p50": float(np.percentile(seconds, 50)), "p99": float(np.percentile(seconds, 99))}


def asked(port: int, file: Path, clients: int, requests: int) -> dict[str, float]:
    """`ask`, by a process of its own."""
    program = (
        "import asyncio, json, pathlib, sys; from experiments.serve_load import ask; "
        "port, file, clients, requests = sys.argv[1:]; content = pathlib.Path(file).read_bytes(); "
        "print(json.dumps(asyncio.run(ask(int(port), content, int(clients), int(requests)))))"
    )
    command = [sys.executable, "-c", program, str(port), str(file), str(clients), str(requests)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def batches(port: int) -> tuple[float, float]:
    """How many batches the server has computed, and how many pictures."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    count, total = (re.search(rf"jaxcnn_batch_pictures_{name} (\S+)", text) for name in ("count", "sum"))
    return (float(count[1]), float(total[1])) if count and total else (0.0, 0.0)


def main(config: Config, folder: Path) -> None:
    from jaxcnn import load_model
    from jaxcnn.report.machine import machine

    model, numbers = load_model(config.run), [int(number) for number in config.clients.split(",")]
    file = folder / "picture.png"
    file.write_bytes(picture(model))
    alone = {number: bare(model, number) for number in numbers}
    busy = psutil.cpu_percent(1.0) / 100 * (psutil.cpu_count() or 1)
    command = [sys.executable, "-m", "jaxcnn", "serve", str(config.run), "--port", "0"]
    rows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2])
        asked(port, file, max(numbers), max(numbers) * 4)  # the first of everything
        for number in numbers:
            before = batches(port)
            found = asked(port, file, number, config.requests)
            count, pictures = (after - b for after, b in zip(batches(port), before, strict=True))
            rows.append(
                f"| {number} | {config.requests / found['seconds']:,.0f} | {1e3 * found['p50']:.1f} | "
                f"{1e3 * found['p99']:.1f} | {pictures / count:.1f} | {number / alone[number]:,.0f} | "
                f"{1e3 * alone[number]:.2f} |"
            )
        server.terminate()
    print(f"`python -m experiments.serve_load {config.run} --requests {config.requests}`  ")
    about = machine()
    size = " × ".join(map(str, model.image_shape))
    print(f"{about.device}, {about.cores} cores; {model.card.network}, pictures of {size}; {about.date}  ")
    print(f"Cores that other programs used just before: {busy:.1f}.\n")
    print(
        "| clients | requests/s | p50, ms | p99, ms | pictures in a batch | jitted call of as many: pictures/s | ms |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows), flush=True)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        main(tyro.cli(Config), Path(made))
