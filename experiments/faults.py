"""What becomes of a training run that is killed, starved or damaged? Each fault is made, and the run gone on with.

    python experiments/faults.py [--kills 4] [--epochs 30] [--seed 0] [--options=...] [--out FOLDER] [--table TABLE.md]

Takes 5 minutes on 2 CPU cores. A small LeNet-5 run on the digits, saved every 50 ms while it goes on, is first trained
without any fault. Then each fault is done to a fresh run: SIGKILL at random moments, SIGKILL while a checkpoint is
being written, SIGTERM, a truncated and an altered checkpoint, a disk without room (a limit on the size of files), a
folder that may not be written, a clock that jumps back, a second process in the same folder. After it the run is
resumed until it ends. Its parameters, statistics and optimizer must then be those of the first run, bit for bit.
Printed, and written as a table, are the fault and what happened; the exit code is 1 if one ends otherwise. `--options`
are more of `jaxcnn train`, for all runs.
"""

import argparse
import functools
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxcnn.train.restore import restore

OPTIONS = "--data digits --model lenet5 --image-size 12 --batch-size 128 --save-every 0.05"
PROGRAM = [sys.executable, "-c", "from jaxcnn.cli.main import main; main()"]
PATIENCE = 300  # seconds


class Run:
    """A run in a folder of its own, and what its last process said."""

    def __init__(self, folder: Path, epochs: int, options: str) -> None:
        self.folder, self.epochs = folder, epochs
        self.words = ["train", *shlex.split(options), "--epochs", str(epochs), "--out", str(folder)]
        shutil.rmtree(folder, ignore_errors=True)
        self.said = ""

    def start(self, *more: str, program: Sequence[str] = ()) -> subprocess.Popen[str]:
        resumed = ["--resume"] if (self.folder / "config.json").exists() else []
        words = [*(program or PROGRAM), *self.words, *resumed, *more]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ended(self, process: subprocess.Popen[str]) -> int:
        self.said = process.communicate(timeout=PATIENCE)[0].strip()
        return process.returncode

    def until(self, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        while process.poll() is None and not condition():
            time.sleep(0.001)
        assert process.poll() is None, self.said or "it ended before that"

    def finish(self) -> None:
        code = self.ended(self.start())
        assert code == 0, self.said

    def bits(self) -> list[bytes]:
        state = restore(self.folder).state
        leaves = jax.tree.leaves((state.params, state.state, state.opt_state, state.step))
        return [np.asarray(leaf).tobytes() for leaf in leaves]

    @property
    def last(self) -> list[Path]:
        there = (self.folder / "checkpoints/last").glob("*")
        return sorted((path for path in there if path.name.isdecimal()), key=lambda path: int(path.name))

    def saving(self) -> bool:
        return any((self.folder / "checkpoints").glob("*/*.new*"))


def killed(run: Run, rng: random.Random) -> str:
    """There is a checkpoint for each epoch, and more."""
    process, checkpoints = run.start(), rng.randrange(run.epochs)
    run.until(lambda: len(run.last) > 0 and int(run.last[-1].name) >= checkpoints, process)
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    run.ended(process)
    return f"killed after {steps(run)} steps that were saved"


def killed_in_a_save(run: Run, rng: random.Random) -> str:
    process, stopped = run.start(), 0
    while not (stopped and run.saving()):  # it may be finished between a look and the stop
        process.send_signal(signal.SIGCONT)
        run.until(lambda: len(run.last) > 1 and run.saving(), process)
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        stopped += 1
    process.kill()
    run.ended(process)
    unfinished = next((run.folder / "checkpoints").glob("*/*.new*"))
    return f"killed after {steps(run)} steps that were saved, {unfinished} left"


def terminated(run: Run, rng: random.Random) -> str:
    process = run.start()
    run.until(lambda: len(run.last) > 0, process)
    process.send_signal(signal.SIGTERM)
    return f"exit {run.ended(process)}: {run.said.splitlines()[-2].split(';')[0]}"


def truncated(run: Run, rng: random.Random) -> str:
    return damaged(run, lambda content: content[: len(content) // 2])


def altered(run: Run, rng: random.Random) -> str:
    return damaged(run, lambda content: content[:-1] + bytes([content[-1] ^ 1]))


def damaged(run: Run, harm: Callable[[bytes], bytes]) -> str:
    """Stop it, and harm the largest file of its newest checkpoint."""
    terminated(run, random.Random())
    file = max((path for path in run.last[-1].rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    file.write_bytes(harm(file.read_bytes()))
    run.ended(run.start("--max-time", "0.01"))
    return next(line for line in run.said.splitlines() if line.startswith("warning")).split(": ", 1)[1]


def full(run: Run, rng: random.Random, blocks: int) -> str:
    terminated(run, rng)
    code = run.ended(run.start(program=["bash", "-c", f'ulimit -f {blocks}; exec "$0" "$@"', *PROGRAM]))
    before, _, rest = run.said.splitlines()[-1].partition(" (")
    return f"exit {code}: {before} (...{rest[rest.rindex(')') :]}"


def read_only(run: Run, rng: random.Random) -> str:
    """Also to the superuser, without the right to write everywhere."""
    terminated(run, rng)
    run.folder.chmod(0o555)
    superuser = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    code = run.ended(run.start(program=[*superuser, *PROGRAM]))
    run.folder.chmod(0o755)
    return f"exit {code}: {run.said.splitlines()[-1]}"


def clock_jumps_back(run: Run, rng: random.Random) -> str:
    """By a day, as Python sees it, once there are checkpoints."""
    there = run.folder / "checkpoints"
    jump = f"import os, time; now = time.time; time.time = lambda: now() - 86400 * os.path.isdir({str(there)!r}); "
    process = run.start(program=[*PROGRAM[:-1], jump + PROGRAM[-1]])
    run.until(lambda: len(run.last) > 0 and int(run.last[-1].name) > 2, process)
    process.kill()
    run.ended(process)
    return f"killed after {steps(run)} steps that were saved"


def second(run: Run, rng: random.Random) -> str:
    process = run.start()
    run.until(lambda: len(run.last) > 0, process)
    process.send_signal(signal.SIGSTOP)  # else it would be done before the other has begun
    code = run.ended(run.start())
    said = run.said.splitlines()[-1]
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    run.ended(process)
    return f"the second: exit {code}: {said}"


def steps(run: Run) -> int:
    return int(restore(run.folder).state.step) if run.last else 0


Fault = Callable[[Run, random.Random], str]
FAULTS: list[tuple[str, Fault, str]] = [  # in words, what is done, and more options of the run
    ("SIGKILL at a random moment", killed, ""),
    ("SIGKILL while a checkpoint is being written", killed_in_a_save, ""),
    ("SIGKILL in a streamed epoch", killed, "--stream always --workers 1"),
    ("SIGKILL of a run on several devices", killed, "--devices 2 --shard-params"),
    ("SIGTERM", terminated, ""),
    ("the newest checkpoint truncated", truncated, ""),
    ("one bit of the newest checkpoint changed", altered, ""),
    ("no room for a model (`ulimit -f 8`)", functools.partial(full, blocks=8), ""),
    ("room for a model, but not for a checkpoint (`ulimit -f 200`)", functools.partial(full, blocks=200), ""),
    ("a run folder that may not be written", read_only, ""),
    ("a clock that jumps back by a day", clock_jumps_back, ""),
    ("a second process in the run folder", second, ""),
]


def main(kills: int, epochs: int, seed: int, options: str, out: Path, table: Path | None) -> bool:
    """Try all faults, the first `kills` times; whether each run ended in the bits of one without a fault."""
    rng, rows = random.Random(seed), []
    every = f"{OPTIONS} {options}".strip()

    @functools.cache
    def untouched(more: str) -> list[bytes]:
        run = Run(out / f"untouched{more}".replace(" ", ""), epochs, f"{every} {more}")
        run.finish()
        return run.bits()

    trials = [trial for trial in FAULTS for _ in range(kills if trial == FAULTS[0] else 1)]
    for number, (name, fault, more) in enumerate(trials):
        run = Run(out / str(number), epochs, f"{every} {more}")
        happened = fault(run, rng).replace(f"{run.folder}", "RUN")
        run.finish()
        same = run.bits() == untouched(more)
        named = f"{name} (`{more}`)" if more else name
        rows.append((named, happened, "the same bits" if same else "OTHER BITS"))
        print(" | ".join(rows[-1]), flush=True)
    if table is not None:
        heading = [("fault", "what happened", "resumed to the end"), ("---",) * 3]
        lines = [f"| {' | '.join(row)} |" for row in [*heading, *rows]]
        words = f"jaxcnn train {every} --epochs {epochs} --out RUN"
        head = f"# Faults, and what became of the run\n\n`python experiments/faults.py`; each run is `{words}`.\n\n"
        table.write_text(head + "\n".join(lines) + "\n")
    return all(same == "the same bits" for *_, same in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill, starve and damage training runs, and go on with them.")
    parser.add_argument("--kills", type=int, default=4, help="kills at random moments (default 4)")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the digits (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--options", default="", help="more of jaxcnn train, as in --options='--optimizer lion'")
    parser.add_argument("--out", type=Path, default=Path("runs/faults"), help="folder for the run folders")
    parser.add_argument("--table", type=Path, help="write the table here, as Markdown")
    sys.exit(0 if main(**vars(parser.parse_args())) else 1)
