"""Times and amounts of memory, as they are shown."""

import time

import jax
import psutil

UNITS = ("B", "kB", "MB", "GB", "TB")


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, or 123:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def memory(size: float) -> str:
    """Bytes in units of 1000: 87 B, 12.3 MB, 139 GB."""
    power = 0
    while size >= 999.5 and power < len(UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.{0 if power == 0 or size >= 99.95 else 1}f} {UNITS[power]}"


def memory_in_use() -> str:
    """This process's, and of the fullest of its devices where they tell, which CPUs don't: 1.2 GB, GPU 12.3 GB."""
    devices = jax.local_devices()
    sizes = [stats.get("bytes_in_use", 0) for device in devices if (stats := device.memory_stats())]
    shown = memory(psutil.Process().memory_info().rss)
    return f"{shown}, {devices[0].platform.upper()} {memory(max(sizes))}" if sizes else shown


def running() -> float:
    """Seconds since this process was started, Python's own start among them."""
    return time.time() - psutil.Process().create_time()
