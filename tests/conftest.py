"""Fixtures shared by all tests, and what makes them fast: most of their time is tracing and compiling."""

import functools
import gc
import os
import signal
import sys
from pathlib import Path

import jax
import pytest
from jax._src.interpreters import mlir

from jaxcnn.data import digits
from tests.train.tiny import trained  # noqa: F401  (a fixture)

# LLVM does not optimise, and a program is one piece for it: less than half the time.
COMPILE_FAST = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if jax.__version_info__ < (0, 11):  # XLA emits a CPU's loops itself: half of that again; later ones can't any more
    COMPILE_FAST += " --xla_cpu_use_fusion_emitters=false"


def pytest_configure(config):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore what some tests send
    # Hundreds of processes would each compile all modules anew, where Python is told to keep none of what it compiled.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.set_threshold(100_000, 20, 100)  # JAX's caches are millions of objects, none of them garbage
    if config.option.markexpr != "gpu" or os.environ.get("JAXCNN_GPU_REHEARSAL"):  # a GPU is to run what users run
        os.environ["XLA_FLAGS"] = f"{COMPILE_FAST} {os.environ.get('XLA_FLAGS', '')}"
    # Which kernels compute is the same on every CPU: oneDNN's make a product in a tenth of XLA's time.
    os.environ["JAXCNN_KERNEL_TABLE"] = str(Path(__file__).parent / "kernels" / "table.json")
    # A new context for every program takes as long as lowering a small one.
    mlir.make_ir_context = functools.cache(mlir.make_ir_context)
    # The digits are the same for every run that is trained here.
    digits.load = functools.cache(digits.load)
    # Nobody reads the frames that JAX notes for every operation, and cuts out of every error.
    keep(jax_traceback_in_locations_limit=0, jax_traceback_filtering="off")
    # What XLA compiled serves all workers, the processes that tests start, and the next run.
    if not jax.config.jax_compilation_cache_dir and hasattr(config, "cache"):
        keep(jax_compilation_cache_dir=str(config.cache.mkdir("compiled")))
        keep(jax_persistent_cache_min_compile_time_secs=0, jax_persistent_cache_min_entry_size_bytes=-1)


def pytest_runtest_teardown():
    """Forget what was compiled, now and then: a program keeps 1.5 MB, and among thousands the next takes longer."""
    if Compiled.programs > Compiled.MOST:
        Compiled.programs = 0
        jax.clear_caches()
        mlir.make_ir_context.cache_clear()
        gc.collect()


class Compiled:
    """How many programs JAX holds since its caches were last emptied."""

    MOST = 500
    programs = 0

    @classmethod
    def count(cls, event, seconds, **_):
        cls.programs += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(Compiled.count)


def keep(**settings):
    """Set JAX up here and in every process that is started from here."""
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


@pytest.fixture
def x64():
    """Run the test in float64."""
    with jax.enable_x64(True):
        yield
