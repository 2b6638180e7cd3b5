"""How much memory a training step needs at its peak, by jaxcnn and by every framework that is installed. Linux only.

    python experiments/memory_peak.py [--model cifar_small] [--batch-size 128] [--json FILE]

Each makes its steps in a process of its own. Printed is by how much the process's resident memory rose, at its highest,
during three steps: activations, gradients and scratch, on top of the libraries, parameters, optimizer state and batch
that were there before. What jaxcnn's kernels keep from step to step, to work in, is counted, too. Compiling, in the
first step, is not part of it.

Then, of jaxcnn's step alone, what XLA lays out for activations and scratch, without and with rematerialisation
(`jaxcnn train --remat`): nothing is run for that.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from rich.console import Console
from rich.table import Table

from jaxcnn import ops
from jaxcnn.bench import networks
from jaxcnn.bench.contest import Contest, Entrant
from jaxcnn.bench.measure import first
from jaxcnn.bench.networks import Problem
from jaxcnn.bench.peers import PACKAGES, installed
from jaxcnn.kernels import library
from jaxcnn.layers import Params, State
from jaxcnn.report.machine import machine
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step

STEPS = 3
# No array lies in memory that was free, and resident, before: each is mapped when it is made (glibc).
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def contest(task: Problem) -> Contest:
    """Who trains the network, in float32."""
    return networks.training(task, ["float32"], [p for p in PACKAGES if installed(p)])


def risen(entrant: Entrant) -> float:
    """Megabytes of resident memory that a step needs at its peak, on top of what the process needs between steps."""
    run = entrant.prepare().runs["step"]
    first(run)
    time.sleep(0.2)  # another thread gives its arrays back, a moment later
    ctypes.CDLL(None).malloc_trim(0)  # what the first step has freed goes back to the system
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS") - kept()
    with run.within():
        for _ in range(STEPS):
            run.wait(run.call())
    return resident("VmHWM") - before


def kept() -> float:
    """Megabytes that jaxcnn's kernels keep from call to call, to work in."""
    found = library.find()
    return 0.0 if isinstance(found, library.Missing) else found.kept / 2**20


def resident(field: str) -> float:
    """Megabytes of memory now (VmRSS) or at the highest (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def laid_out(task: Problem, *, remat: bool) -> float:
    """Megabytes that XLA lays out for what a step computes, beside its arguments and results."""
    optimizer = optax.sgd(0.1)
    step = make_train_step(
        task.network,
        optimizer,
        ops.softmax_cross_entropy,
        normalise=lambda images: images,
        options=StepOptions(remat=remat),
    )

    def state(params: Params, state: State) -> TrainState:
        return TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(0))

    arguments = jax.eval_shape(state, *task.weights), task.images(task.batch_size), task.labels
    return float(step.lower(*arguments).compile().memory_analysis().temp_size_in_bytes) / 2**20


def measured_apart(name: str) -> float | None:
    """What `risen` finds of this entrant in a process of its own, started as this one was; None where it fails."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | EXACT)
    return None if run.returncode else float(run.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="cifar_small")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-size", type=int, help="pixels a side; by default what the network was made for")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found to it")
    parser.add_argument("--only", metavar="NAME", help="measure this one, in this process, and print megabytes")
    args = parser.parse_args()
    task = networks.problem(args.model, batch_size=args.batch_size, image_size=args.image_size)
    everyone: dict[str, Entrant] = {entrant.by: entrant for entrant in contest(task).entrants}
    if args.only:
        print(risen(everyone[args.only]))
        return
    found = {name: measured_apart(name) for name in everyone}
    table = Table("", "MB", "× jaxcnn", title=f"{contest(task).task}, float32", title_justify="left")
    ours = next(iter(found.values()))
    for name, megabytes in found.items():
        ratio = f"{megabytes / ours:.2f}" if megabytes and ours else ""
        table.add_row(name, "failed" if megabytes is None else f"{megabytes:,.0f}", ratio)
    Console(width=100).print(table)
    before, after = (laid_out(task, remat=remat) for remat in (False, True))
    print(f"laid out for a step: {before:,.1f} MB; with --remat {after:,.1f} MB, {after / before:.2f} times that")
    if args.json:
        common = {"task": contest(task).task, "precision": "float32"}
        rows = [common | {"by": name, "megabytes": value} for name, value in found.items() if value is not None]
        args.json.write_text(json.dumps({"machine": asdict(machine()), "memory": rows}, indent=2))
        print(f"report {args.json}")


if __name__ == "__main__":
    main()
