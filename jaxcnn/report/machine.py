"""On what, with what, when and how a benchmark ran: what its numbers mean nothing without."""

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jaxcnn.kernels import library

PACKAGES = ("jaxcnn", "jax", "jaxlib", "flax", "equinox", "keras", "torch")
SETTINGS = ("GLIBC_TUNABLES", "LD_PRELOAD", "OMP_NUM_THREADS", "XLA_FLAGS")  # environment variables that change times
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")


@dataclass(frozen=True)
class Machine:
    """Attributes:
    device: the processor's or the GPU's own name for itself.
    instructions: of those that decide how fast a CPU multiplies, the ones that it has; empty where unknown.
    cores: how many of the processor's cores this process may use.
    load: other processes that wanted a core, on average over the minute before the run; None where unknown.
    versions: of Python and the packages that took part.
    command: what was run, after the environment variables that change its times.
    """

    device: str
    processor: str
    instructions: tuple[str, ...]
    cores: int
    load: float | None
    versions: dict[str, str]
    date: str
    command: str

    @property
    def busy(self) -> bool:
        """Whether other processes took part of the machine, so that the times say little."""
        return self.load is not None and self.load > 0.2 * self.cores


def machine() -> Machine:
    """This machine, now."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processor = _told("model name") or platform.processor() or platform.machine()
    flags = _told("flags").split()
    on_cpu = jax.default_backend() == "cpu"
    return Machine(
        device=processor if on_cpu else jax.devices()[0].device_kind,
        processor=processor,
        instructions=tuple(name for name in INSTRUCTIONS if name in flags),
        cores=cores,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions=_versions(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([*_settings(), _program(), *sys.argv[1:]]),
    )


def _settings() -> list[str]:
    """As a shell takes them before a command."""
    return [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]


def _program() -> str:
    """`jaxcnn`, whether it was run by that name or by `python -m jaxcnn`."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def _told(what: str) -> str:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(what)), "")


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    onednn = library.find()
    return found | ({"oneDNN": onednn.version} if isinstance(onednn, library.Library) else {})
