"""What the server has done, in the text format that Prometheus reads.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
Labels = tuple[tuple[str, str], ...]


class Counter:
    """Numbers that only grow, one for each set of labels; any thread may add to them."""

    def __init__(self, name: str, help: str) -> None:
        self.name, self.help = name, help
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        key = tuple(labels.items())
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "counter")
        with self._lock:
            values = dict(self._values)
        for labels, value in values.items():
            yield _line(self.name, labels, value)


class Histogram:
    """How many values there were up to each bound, their number and their sum, for each set of labels."""

    def __init__(self, name: str, help: str, bounds: tuple[float, ...]) -> None:
        self.name, self.help, self._bounds = name, help, bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, **labels: str) -> None:
        key = tuple(labels.items())
        with self._lock:
            counts = self._counts.setdefault(key, [0] * (len(self._bounds) + 1))
            counts[bisect_left(self._bounds, value)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + value

    @contextmanager
    def timed(self, **labels: str) -> Iterator[None]:
        """Observe the seconds that pass inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.observe(time.perf_counter() - start, **labels)

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "histogram")
        with self._lock:
            found = [(labels, list(counts), self._sums[labels]) for labels, counts in self._counts.items()]
        for labels, counts, total in found:
            upto = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                upto += count
                yield _line(f"{self.name}_bucket", (*labels, ("le", bound)), upto)
            yield _line(f"{self.name}_sum", labels, total)
            yield _line(f"{self.name}_count", labels, upto)


class Gauge:
    """A number that is asked for when it is read."""

    def __init__(self, name: str, help: str, value: Callable[[], float]) -> None:
        self.name, self.help, self._value = name, help, value

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "gauge")
        yield _line(self.name, (), self._value())


def text(*metrics: Counter | Histogram | Gauge) -> str:
    """All of them, one line a value."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _head(name: str, help: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{label}="{of}"' for label, of in labels)
    return f"{name}{{{inside}}} {_number(value)}" if labels else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return repr(float(value))
