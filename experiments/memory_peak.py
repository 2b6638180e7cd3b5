"""How much memory a training step needs at its peak, by jaxcnn and by every framework that is installed. Linux only.

    python experiments/memory_peak.py [--model cifar_small] [--batch-size 128]

Each makes its steps in a process of its own. Printed is by how much the process's resident memory rose, at its highest,
during three steps: activations, gradients and scratch, on top of the libraries, parameters, optimizer state and batch
that were there before. Compiling, in the first step, is not part of it.

Then, of jaxcnn's step alone, what XLA lays out for activations and scratch, without and with rematerialisation
(`jaxcnn train --remat`): nothing is run for that.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from rich.console import Console
from rich.table import Table

from jaxcnn import ops
from jaxcnn.bench import networks
from jaxcnn.bench.contest import Entrant
from jaxcnn.bench.measure import first
from jaxcnn.bench.peers import PACKAGES, installed
from jaxcnn.layers import Params, State
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step

STEPS = 3
# No array lies in memory that was free, and resident, before: each is mapped when it is made (glibc).
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def entrants(model: str, batch_size: int) -> dict[str, Entrant]:
    """By name: who trains the model, in float32."""
    task = networks.problem(model, batch_size=batch_size)
    return {e.by: e for e in networks.training(task, ["float32"], [p for p in PACKAGES if installed(p)]).entrants}


def risen(entrant: Entrant) -> float:
    """Megabytes of resident memory that a step needs at its peak, on top of what the process has between steps."""
    run = entrant.prepare().runs["step"]
    first(run)
    time.sleep(0.2)  # another thread gives its arrays back, a moment later
    ctypes.CDLL(None).malloc_trim(0)  # what the first step has freed goes back to the system
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    with run.within():
        for _ in range(STEPS):
            run.wait(run.call())
    return resident("VmHWM") - before


def resident(field: str) -> float:
    """Megabytes of memory now (VmRSS) or at the highest (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def laid_out(model: str, batch_size: int, *, remat: bool) -> float:
    """Megabytes that XLA lays out for what a step computes, beside its arguments and results."""
    task = networks.problem(model, batch_size=batch_size)
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

    arguments = jax.eval_shape(state, *task.weights), task.images(batch_size), task.labels
    return float(step.lower(*arguments).compile().memory_analysis().temp_size_in_bytes) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="cifar_small")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--only", metavar="NAME", help="measure this one, in this process, and print megabytes")
    args = parser.parse_args()
    everyone = entrants(args.model, args.batch_size)
    if args.only:
        print(risen(everyone[args.only]))
        return
    table = Table(
        "", "MB", "× jaxcnn", title=f"{args.model}, batch of {args.batch_size}, float32", title_justify="left"
    )
    ours = None
    for name in everyone:
        command = [
            sys.executable,
            __file__,
            "--model",
            args.model,
            "--batch-size",
            str(args.batch_size),
            "--only",
            name,
        ]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | EXACT)
        megabytes = float(run.stdout.split()[-1])
        ours = ours or megabytes
        table.add_row(name, f"{megabytes:,.0f}", f"{megabytes / ours:.2f}")
    Console(width=100).print(table)
    before, after = (laid_out(args.model, args.batch_size, remat=remat) for remat in (False, True))
    print(f"laid out for a step: {before:,.1f} MB; with --remat {after:,.1f} MB, {after / before:.2f} times that")


if __name__ == "__main__":
    main()
