"""A training run of two processes that is killed, gone on with, stopped, and gone on with again.

    python experiments/two_processes.py [--epochs 8] [--seed 0] [--out runs/two_processes]

Takes 3 minutes on 2 CPU cores. LeNet-5 on the digits, by two processes of two simulated devices each, that sum their
gradients over TCP (Gloo), and by one process of four. Another run of two is begun: one of its processes, drawn by
lot, gets SIGKILL at a random moment after the first epoch, and the other must end by itself; gone on with, the other
gets SIGTERM, at which both must save and end; then it goes on to the end. Printed are the exit codes and what the
processes said. The exit code is 1 unless the run ends in the bits of the undisturbed one of two processes, and near
the one of four devices.
"""

import argparse
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from jaxcnn.interop.safetensors import load

OPTIONS = "--data digits --model lenet5 --batch-size 128 --optimizer momentum --devices 4 --save-every 0.5"
PROGRAM = [sys.executable, "-c", "from jaxcnn.cli.main import main; main()"]
PATIENCE = 600  # seconds
NOTICED = 60  # seconds


def start(folder: Path, epochs: int, *more: str) -> subprocess.Popen[str]:
    words = [*PROGRAM, "train", *OPTIONS.split(), "--epochs", str(epochs), "--out", str(folder), *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start_two(folder: Path, epochs: int) -> list[subprocess.Popen[str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    resume = ["--resume"] if (folder / "config.json").exists() else []
    together = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", *resume]
    return [start(folder, epochs, *together, "--process-id", str(number)) for number in range(2)]


def ended(what: str, *processes: subprocess.Popen[str], within: float = PATIENCE) -> list[int]:
    for number, process in enumerate(processes):
        try:
            said = process.communicate(timeout=within)[0].strip().splitlines()
        finally:
            process.kill()
        print(f"{what}, process {number}: exit {process.returncode}{': ' + said[-1] if said else ''}", flush=True)
    return [process.returncode for process in processes]


def disturb(folder: Path, epochs: int, signal_name: str, number: int, rng: random.Random) -> list[int]:
    """Send a signal to one of two processes when there is something to go on from."""
    lines = (folder / "metrics.jsonl").read_text().count("\n") if (folder / "metrics.jsonl").exists() else 0
    processes = start_two(folder, epochs)
    metrics = folder / "metrics.jsonl"
    while processes[0].poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > lines):
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.3))
    getattr(processes[number], signal_name)()
    return ended(f"{signal_name} of process {number}", *processes, within=NOTICED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/two_processes"))
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    one, two, disturbed = (options.out / name for name in ("one", "two", "disturbed"))
    rng = random.Random(options.seed)
    victim = rng.randrange(2)

    codes = ended("one process", start(one, options.epochs))
    codes += ended("undisturbed", *start_two(two, options.epochs))
    codes_killed = disturb(disturbed, options.epochs, "kill", victim, rng)
    codes_stopped = disturb(disturbed, options.epochs, "terminate", 1 - victim, rng)
    codes += ended("gone on with", *start_two(disturbed, options.epochs))

    alone, expected, got = (
        load((run / "model/last/weights.safetensors").read_bytes()) for run in (one, two, disturbed)
    )
    same = all(np.array_equal(got[path], expected[path]) for path in expected)
    off = max(float(abs(expected[path] - alone[path]).max() / abs(alone[path]).max()) for path in alone)
    print(f"the same bits as undisturbed: {'yes' if same else 'no'}; from one process of four devices {off:.1e} away")
    right = not any(codes) and 0 not in codes_killed and codes_stopped == [143, 143] and same and off < 1e-3
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
