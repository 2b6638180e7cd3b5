"""What XLA has compiled is kept, so that a command that is given again does not wait for it again."""

from pathlib import Path
from typing import Any

LIMIT = 2 * 2**30  # bytes; beyond it what was used longest ago goes


def folder() -> Path:
    """Where: the user's folder for what can be made again, such as ~/.cache/jaxcnn on Linux."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("jaxcnn", appauthor=False)) / "compiled"


def config() -> Any:
    """JAX's, which does not tell type checkers of its settings."""
    import jax  # here, since the help needs no JAX, which takes a second

    return jax.config


def keep() -> None:
    """Have JAX keep all programs in `folder`, unless its own settings say where, or that it is not to.

    Its keys tell versions, flags and what the CPU can do apart. Where the folder can't be written nothing is kept.
    """
    settings = config()
    if settings.jax_compilation_cache_dir or not settings.jax_enable_compilation_cache:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / ".lockfile").touch()
    except OSError:
        return
    settings.update("jax_compilation_cache_dir", str(folder()))
    settings.update("jax_compilation_cache_max_size", LIMIT)
    # By default only what took a second and more: a run's many small programs together take longer than its step.
    settings.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    settings.update("jax_persistent_cache_min_entry_size_bytes", -1)
