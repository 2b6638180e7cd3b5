"""Verify many rules, on several cores where there are any."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context

import jax

from jaxcnn.verify.kill import Kills, kills
from jaxcnn.verify.report import Report
from jaxcnn.verify.search import Search


@dataclass(frozen=True)
class Verdict:
    """What was found for one rule: its report, and what became of its planted faults where those were asked for."""

    report: Report
    kills: Kills | None

    @property
    def ok(self) -> bool:
        """True where the rule passes and no fault survives."""
        return self.report.ok and (self.kills is None or self.kills.ok)


def two_devices() -> None:
    """Make two devices of a CPU, for the check that needs them, unless JAX runs already or was told how many."""
    told = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not told and jax.config.jax_num_cpu_devices == -1:  # type: ignore[attr-defined]
        with suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", 2)


def verdict(name: str, *, faults: bool, cases: int, seed: int) -> Verdict:
    """`check_rule` for the rule of this name, and with `faults` also `kills`."""
    from jaxcnn.ops import RULES

    search = Search(RULES[name], cases=cases, seed=seed)
    return Verdict(search.report(), kills(search) if faults else None)


def verdicts(names: Sequence[str], *, faults: bool, cases: int, seed: int) -> Iterator[Verdict]:
    """A verdict for each name, in that order, each as soon as it is there.

    On a CPU every core takes rules of its own, in a process of its own: compiling is most of the work, and a process
    compiles one thing at a time. An accelerator belongs to one process, so there it is this one.
    """
    workers = min(len(names) // 2, _cores()) if jax.default_backend() == "cpu" else 1
    if workers < 2:
        for name in names:
            yield verdict(name, faults=faults, cases=cases, seed=seed)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=two_devices) as pool:
        yield from pool.map(_verdict, names, repeat(faults), repeat(cases), repeat(seed))


def _verdict(name: str, faults: bool, cases: int, seed: int) -> Verdict:
    return verdict(name, faults=faults, cases=cases, seed=seed)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
