"""Whether a dataset's images are kept in memory or streamed: decoded for each batch."""

from pathlib import Path
from typing import Literal

Streaming = Literal["auto", "always", "never"]
SHARE = 4  # pixels may take a quarter: NumPy's, the device's on a CPU, and half is for all else
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


def streams(stream: Streaming, size: int) -> tuple[bool, str]:
    """Whether images of `size` bytes in all are to be streamed, and words that tell of it, to be added to a sentence.

    "auto" streams what is more than a quarter of the machine's memory (in a container of the container's), or of a
    GPU's.
    """
    if stream == "never":
        return False, ""
    streamed = stream == "always" or size > memory() / SHARE
    return streamed, f"; {'streamed' if streamed else 'in memory'}, {_in_words(size)} of pixels"


def memory() -> int:
    """Bytes of memory that there are, on the device where that has its own."""
    import jax
    import psutil

    sizes = [psutil.virtual_memory().total]
    sizes += [
        int(text) for limit in map(Path, _LIMITS) if limit.is_file() and (text := limit.read_text().strip()) != "max"
    ]
    of_device = jax.local_devices()[0].memory_stats() or {}  # None on a CPU
    return min([*sizes, of_device.get("bytes_limit", sizes[0])])


def _in_words(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} GB" if size < 1000 else f"{size:,.0f} GB"
