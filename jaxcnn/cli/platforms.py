"""What JAX was told to compute on, where there is no such thing here: why, and what to do."""

import os

NAMES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")


def refused() -> tuple[str, str] | None:
    """Why JAX has no device to compute on, and what helps; None where it has.

    JAX raises a RuntimeError that says so, or, of a GPU that it does not see, an AssertionError without a word.
    """
    import jax

    try:
        jax.devices()
        return None
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition(" (set JAX_PLATFORMS")[0].strip().rstrip(".")
    told = next((name for name in NAMES if os.environ.get(name)), None)
    if told is None:
        return reason, "export JAX_PLATFORMS=cpu to compute on the CPU"
    reason = reason or "JAX sees no such device here"
    help = f"unset {told} to take what there is" + (", or export JAX_PLATFORMS=cpu" if told == NAMES[0] else "")
    return f"{told} is {os.environ[told]!r}: {reason}", help
