"""Is all well on this GPU, and how fast is it? One report in Markdown, within 14 minutes.

    experiments/gpu_check.sh [--parts machine,tests,bench,fast] [--minutes 14] [--out gpu_check.md] [--rehearse]

Parts: the machine and `jaxcnn doctor`; `pytest -m gpu`; training steps of cifar_small, resnet18 and resnet50 beside
PyTorch's, eager and compiled, and Flax's, in bfloat16 and TensorFloat-32; cifar10_fast beside airbench94, three seeds.
Each part is a process with a time of its own: one that fails or hangs takes nothing from the others, and the report,
written anew after each, says so. Without CIFAR-10 (--data-dir) images are made up, and no accuracy is claimed.
--rehearse is the same at small sizes on the CPU. The exit code is 0 if every part succeeded.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

PARTS = ("machine", "tests", "bench", "fast")
BATCHES = {"cifar_small": 1024, "resnet18": 256, "resnet50": 128}  # which keep a large GPU busy
SHOWN = 150  # lines of a part's output, its last


@dataclass(frozen=True)
class Part:
    """What to run, at most for how many seconds; `tables` is where it leaves what `jaxcnn bench` found."""

    title: str
    command: Sequence[str]
    seconds: float
    environment: dict[str, str] = field(default_factory=dict)
    tables: Path | None = None


def parts(chosen: Sequence[str], folder: Path, data_dir: Path | None, *, rehearse: bool) -> list[Part]:
    """In the order in which they are wanted most; `folder` is for what they leave."""
    python, cores = sys.executable, os.cpu_count() or 1
    doctor = f"nvidia-smi; {python} -m jaxcnn doctor"
    spread = ["-n", str(min(8, cores)), "--dist", "worksteal"] if importlib.util.find_spec("xdist") else []
    which = ["tests/gpu/test_precision.py", "-k", "matrix", "-n", "0"] if rehearse else ["tests/gpu", *spread]
    tests = Part("pytest -m gpu", [python, "-m", "pytest", "-m", "gpu", "-rfs", "--durations=5", *which], 270)
    compiled = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),  # for the second seed and the third
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    where = None if data_dir is None else str(data_dir)
    call = f"from experiments.gpu_check import fast; fast({where!r}, rehearse={rehearse})"
    steps = _steps(folder, rehearse)
    found = {
        "machine": [Part("The machine", ["bash", "-c", doctor], 60)],
        "tests": [replace(tests, environment={"JAXCNN_GPU_REHEARSAL": "1"} if rehearse else {})],
        "bench": steps[:2],
        "fast": [Part("cifar10_fast and airbench94", [python, "-c", call], 150, compiled)],
    }
    return [part for name in PARTS if name in chosen for part in found[name]] + steps[2:] * ("bench" in chosen)


def _steps(folder: Path, rehearse: bool) -> list[Part]:
    """A process for each network and precision, since a table is there only when its last program was timed."""
    made = []
    for name, batch in ({"lenet5": 2} if rehearse else BATCHES).items():
        for precision in ("float32",) if rehearse else ("bfloat16", "tensorfloat32"):
            file = folder / f"{name}-{precision}.json"
            sizes = (
                ["--image-size", "8", "--repeats", "1", "--peers", "none"] if rehearse else ["--peers", "flax,torch"]
            )
            options = [
                "--steps",
                name,
                "--batch-size",
                str(batch),
                "--precision",
                precision,
                "--json",
                str(file),
                *sizes,
            ]
            command = [sys.executable, "-m", "jaxcnn", "bench", *options]
            made.append(Part(f"A training step of {name} in {precision}", command, 100, tables=file))
    return made


@dataclass(frozen=True)
class Outcome:
    """What became of a part: its exit code, None where its time was over; seconds; what it printed."""

    part: Part
    code: int | None
    seconds: float
    output: str

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.code is None:
            return "TIME OVER" if self.seconds else "NOT RUN, no time was left"
        return "ok" if self.code == 0 else f"FAILED, exit code {self.code}"

    def markdown(self) -> str:
        """A section of the report."""
        lines = self.output.strip().splitlines()
        left_out = f"({len(lines) - SHOWN} lines before)\n" if len(lines) > SHOWN else ""
        text = "\n".join(["```", left_out + "\n".join(lines[-SHOWN:]), "```"])
        if self.code == 0 and self.part.tables is not None and self.part.tables.is_file():
            from experiments import benchmarks

            text = f"{benchmarks.body([json.loads(self.part.tables.read_text())])}\n\n{text}"
        return f"## {self.part.title}: {self.verdict}, {self.seconds:.0f} s\n\n{text}\n"


def run(part: Part, seconds: float) -> Outcome:
    """Run a part, and end it and all that it has started when its time is over."""
    if seconds <= 0:
        return Outcome(part, None, 0.0, "")
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONUNBUFFERED": "1"} | part.environment
    began = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            part.command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        took = time.monotonic() - began
        printed.seek(0)
        return Outcome(part, code, took, printed.read().decode(errors="replace"))


def report(outcomes: Sequence[Outcome], *, rehearse: bool) -> str:
    """All that is known so far."""
    head = "# A GPU checked" + (": REHEARSAL on a CPU at small sizes, of which no figure counts" if rehearse else "")
    rows = [f"| {o.part.title} | {o.verdict} | {o.seconds:.0f} |" for o in outcomes]
    table = "\n".join(["| part | result | seconds |", "| --- | --- | ---: |", *rows])
    return "\n\n".join([head, table, *(o.markdown() for o in outcomes)])


def fast(data_dir: str | None, *, rehearse: bool, seeds: int = 3) -> None:
    """The part of that name, as a process: cifar10_fast from three seeds, then airbench94 where it can be had."""
    import jax
    import numpy as np

    from experiments import cifar10_fast
    from jaxcnn import data

    config = cifar10_fast.CONFIGS[94]
    there = Path(data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser() / "cifar10"
    if there.is_dir() and not rehearse:
        dataset = data.load("cifar10", data_dir=there.parent)
    else:
        rng, (train, test) = np.random.default_rng(0), (64, 32) if rehearse else (50_000, 10_000)
        parts = [
            (rng.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n, dtype=np.int32) % 10) for n in (train, test)
        ]
        dataset = data.Dataset("made up", *parts[0], *parts[1], tuple("0123456789"))
        print("No CIFAR-10 here: pixels at random, of the same shapes. The seconds count, no accuracy does.")
    if rehearse:
        phases = (cifar10_fast.Phase(1.0),)
        config, seeds = replace(config, widths=(24, 24, 24), batch_size=16, epochs=1, phases=phases), 1
    print(f"{jax.devices()[0].device_kind}, {config}", flush=True)
    for seed in range(seeds):
        result = cifar10_fast.run(config, dataset, seed, None, "bfloat16")
        accuracy = f"test accuracy {result.accuracy:.4f}, " if dataset.name == "cifar10" else ""
        print(
            f"seed {seed}: {accuracy}compiling {result.compiling:.2f} s, training {result.training:.2f} s, "
            f"evaluation {result.evaluating:.2f} s",
            flush=True,
        )
    if jax.default_backend() == "gpu":
        print(cifar10_fast.beside(dataset, seeds))


def main(chosen: Sequence[str], minutes: float, out: Path, data_dir: Path | None, *, rehearse: bool) -> int:
    """Run the parts, write the report after each, print it; returns 0 if all succeeded, else 1."""
    end = time.monotonic() + 60 * minutes
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in parts(chosen, Path(folder), data_dir, rehearse=rehearse):
            outcomes.append(run(part, min(part.seconds, end - time.monotonic())))
            print(f"{part.title}: {outcomes[-1].verdict}, {outcomes[-1].seconds:.0f} s", file=sys.stderr, flush=True)
            text = report(outcomes, rehearse=rehearse)
            out.write_text(text)
    print(text)
    return 0 if all(outcome.code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)} (default all)")
    parser.add_argument("--minutes", type=float, default=14, help="after which what runs is ended (default 14)")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.md"), help="the report's file")
    parser.add_argument("--data-dir", type=Path, help="where TFDS datasets lie")
    parser.add_argument("--rehearse", action="store_true", help="at small sizes, on the CPU")
    args = parser.parse_args()
    named = args.parts.split(",")
    if unknown := set(named) - set(PARTS):
        parser.error(f"--parts has {', '.join(sorted(unknown))}; expected some of {','.join(PARTS)}")
    sys.exit(main(named, args.minutes, args.out.resolve(), args.data_dir, rehearse=args.rehearse))
