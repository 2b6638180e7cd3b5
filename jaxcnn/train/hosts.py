"""The processes of a run: how they find one another, share the cores of a machine, and agree on what comes next.

All run the same program in the same steps. Process 0 alone prints and writes.
"""

import atexit
import json
import os
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather
from jax.sharding import AxisType

from jaxcnn.train import lifeline
from jaxcnn.train.placement import CUT, ONE_DEVICE, OnMesh, Placement
from jaxcnn.train.recipe.devices import DevicesRecipe

JOINING = 300  # seconds in which all processes must have come
HEARTBEAT = 30  # seconds without a sign of life after which JAX takes a process for dead, where its end wasn't noticed
AGREE_EVERY = 0.5  # seconds
_MESSAGE = 8192  # bytes
_ERRORS: dict[int, type[Exception]] = {1: ValueError, 2: FileNotFoundError, 3: FileExistsError, 4: OSError}


def place(recipe: DevicesRecipe) -> Placement:
    """The devices that a recipe asks for, after joining the processes of the run. It comes before JAX starts.

    Raises ValueError if there are fewer devices, or JAX has started with fewer already, and ConnectionError if the
    other processes are not found.
    """
    processes = _join(recipe)
    if recipe.devices is not None and recipe.devices % processes:
        raise recipe.wrong("devices", f"expected a multiple of the {processes} processes")
    share = None if recipe.devices is None else recipe.devices // processes
    if share is not None and share > 1:
        with suppress(RuntimeError):  # JAX has started already, perhaps with as many
            jax.config.update("jax_num_cpu_devices", share)
    there = jax.local_devices()
    cpu = there[0].platform == "cpu"
    if share is None:
        share = 1 if cpu else len(there)
    if share > len(there):
        late = "JAX has started already: make them before, by jax_num_cpu_devices. " if cpu else ""
        each = " in each process" if processes > 1 else ""
        raise recipe.wrong("devices", f"expected at most the {len(there)} that JAX has{each}. {late}Take fewer")
    if share * processes == 1:
        if recipe.shard_params:
            warnings.warn("shard_params cuts nothing: there is one device. For more, see devices.", stacklevel=2)
        return ONE_DEVICE
    every = (jax.local_devices(process_index=process)[:share] for process in range(processes))
    devices = [device for of_one in every for device in of_one]
    mesh = jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
    placement = OnMesh(mesh, CUT if recipe.shard_params else {})
    if processes > 1:
        with _nothing_on_stdout():  # where Gloo tells of its connections, those of all devices and those of processes
            by_first(bool)
            jax.block_until_ready(jax.jit(lambda a: a.sum())(placement.batch(np.zeros(share, np.float32))))
    return placement


def first() -> bool:
    """Whether this process is the one that prints and writes."""
    return not several() or jax.process_index() == 0


def several() -> bool:
    """Whether the run has more processes than this one."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def by_first(function: Callable[..., bool | None], *arguments: Any) -> bool:
    """Whether `function(*arguments)` is true, which process 0 alone calls while the others wait.

    A ValueError or an OSError that it raises is raised in all of them.
    """
    if not several():
        return bool(function(*arguments))
    kind, said, error = 0, "", None
    if first():
        try:
            said = "yes" if function(*arguments) else ""
        except (ValueError, OSError) as raised:
            kind, said, error = next(i for i, kind in _ERRORS.items() if isinstance(raised, kind)), str(raised), raised
    written = f"{kind} {said}".encode()[:_MESSAGE].ljust(_MESSAGE)
    told = bytes(broadcast_one_to_all(np.frombuffer(written, np.uint8))).decode(errors="replace")
    number, _, words = told.rstrip().partition(" ")
    if error is not None:
        raise error
    if number != "0":
        raise _ERRORS[int(number)](words)
    return words == "yes"


def check_same(options: Mapping[str, Any]) -> None:
    """Raise ValueError in all processes, naming an option, unless each has the same: they would train apart."""
    if not several():
        return
    names = sorted(options)
    numbers = np.array([zlib.crc32(repr(options[name]).encode()) for name in names], np.uint32)
    everyones = process_allgather(numbers)
    for name, column in zip(names, everyones.T, strict=True):
        if len(set(column.tolist())) > 1:
            raise ValueError(f"{name} is not the same in all processes; give each of them the same options.")


class Agreement:
    """What the largest of the processes' numbers are, asked together about every half second.

    Asking at each step would have each wait for the last to finish. So process 0 counts the calls that come in that
    time, and all ask again after as many: at the same step.
    """

    def __init__(self) -> None:
        self._calls, self._until, self._since = 0, 1, time.monotonic()

    def __call__(self, *numbers: int) -> tuple[int, ...] | None:
        """The largest of each of `numbers`, 0 or more; None where it is not asked at this call."""
        self._calls += 1
        if self._calls < self._until:
            return None
        seconds = max(time.monotonic() - self._since, 1e-3)
        until = max(1, min(2 * self._calls, round(self._calls * AGREE_EVERY / seconds)))
        mine = np.array([until if first() else 0, *numbers], np.int32)
        self._until, *largest = process_allgather(mine).max(0).tolist()
        self._calls, self._since = 0, time.monotonic()
        return tuple(largest)


@contextmanager
def as_one() -> Iterator[None]:
    """Inside, an error is one of all processes: the others end, too."""
    try:
        yield
    except BaseException as error:
        if several():
            if isinstance(error, jax.errors.JaxRuntimeError):
                time.sleep(lifeline.NOTICED)  # of a collective, perhaps, since one is gone: the lifeline says which
            atexit.unregister(end)
            atexit.register(leave, 1)
        raise


def leave(exit_code: int) -> None:
    """End this process, and with it the others, by an error. JAX's own way out would wait for them."""
    if several():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        lifeline.fail(jax.process_index())
        os._exit(exit_code)


def end() -> None:
    """Leave the other processes, when all have come here; what is computed from now on is this process's own."""
    if jax.distributed.is_initialized():
        lifeline.let_go()
        jax.distributed.shutdown()


def _join(recipe: DevicesRecipe) -> int:
    """How many processes the run has; they are joined. JAX's devices are not started yet."""
    if jax.distributed.is_initialized():
        return _count(recipe)
    if recipe.num_processes == 1 or (recipe.coordinator is None and not launched()):
        return 1
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    try:
        jax.distributed.initialize(
            recipe.coordinator,
            recipe.num_processes,
            recipe.process_id,
            initialization_timeout=JOINING,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=HEARTBEAT,
        )
    except (RuntimeError, ValueError, KeyError) as error:
        what = " ".join(str(error).split()).rstrip(".")
        raise ConnectionError(
            f"the processes of the run don't find one another ({what}). Say --coordinator, --num-processes and "
            "--process-id in each, or --num-processes 1 for a run of its own."
        ) from error
    atexit.register(end)
    _acquaint(recipe)
    return _count(recipe)


def _count(recipe: DevicesRecipe) -> int:
    with suppress(ImportError, AttributeError):
        from jax._src.distributed import global_state

        return int(global_state.num_processes)
    return recipe.num_processes or jax.process_count()


def launched() -> bool:
    """Whether Slurm or Kubernetes started this process as one of several; JAX then asks them for the others."""
    environment = os.environ
    slurm = int(environment.get("SLURM_NTASKS", 1)) > 1 and "SLURM_PROCID" in environment
    kubernetes = "KUBERNETES_SERVICE_HOST" in environment and "JOB_COMPLETION_INDEX" in environment
    return slurm or kubernetes


def _acquaint(recipe: DevicesRecipe) -> None:
    """Share cores with the processes on the same ones, and hold a lifeline, both by JAX's own table of keys and values.

    It has no public name. Without it each process takes all of its cores, and one that is gone is noticed after
    HEARTBEAT seconds, by JAX, which then aborts.
    """
    try:
        from jax._src.distributed import global_state

        table: Any = global_state.client
        number, count, address = global_state.process_id, global_state.num_processes, global_state.coordinator_address
        put, get = table.key_value_set, table.blocking_key_value_get
    except (ImportError, AttributeError):
        return
    cores = _cores()
    put(f"jaxcnn/cores/{number}", cores)
    sharing = [get(f"jaxcnn/cores/{other}", 1000 * JOINING) for other in range(count)].count(cores)
    local = 1 if recipe.devices is None else recipe.devices // count
    own = str(threads(len(json.loads(cores)[1]), sharing, local))
    for variable in ("PJRT_NPROC", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, os.environ.get("NPROC", own))
    if number == 0:
        put("jaxcnn/lifeline", lifeline.hold(count))
    elif address is not None:
        host = address.rpartition(":")[0].strip("[]")
        lifeline.take(number, host, get("jaxcnn/lifeline", 1000 * JOINING))


def threads(cores: int, sharing: int, devices: int) -> int:
    """How many threads XLA gets, of so many cores that processes share, for so many simulated devices of each.

    Each of several devices waits in a collective in a thread of its own, and as many must be left for what they wait
    for: with two threads for two devices, two processes wait for one another.
    """
    return max(cores // sharing, 1, 2 * devices if devices > 1 else 0)


def _cores() -> str:
    """The machine and the cores that this process may use."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    machine = boot.read_text().strip() if boot.exists() else os.uname().nodename
    mine: Any = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return json.dumps([machine, sorted(mine)])


@contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
