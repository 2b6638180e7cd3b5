"""Which of a CPU's kernels computes a convolution: the one that would take the shortest, by a table of measured times.

A row of the table is a convolution and how long each kernel took. For another one each kernel is expected to do its
work about as fast as in the rows of its kind, those nearest in the logarithms of pixels and channels above all. Work is
counted in products, of which Winograd's algorithm makes fewer.

`jaxcnn tune` measures a table on the machine it runs on and keeps it in the user's cache, for this model of CPU and
this jaxlib. Otherwise one that comes with jaxcnn is taken, for AVX2, AVX-512 or AMX. The environment variable
JAXCNN_KERNEL_TABLE names a file to take instead of both.
"""

import functools
import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from jaxcnn.kernels import library, onednn

VARIABLE = "JAXCNN_KERNEL_TABLE"
KERNELS = ("onednn", "direct", "matmul", "winograd", "xla", "onednn bfloat16", "winograd bfloat16")
# Winograd's algorithm rounds more: it is not taken for a gain that may be the measurement's noise.
WORTH = 0.9
# bfloat16 is only asked about on a CPU that multiplies it twice as fast as float32. Where no row tells how fast it is,
# a part of the gain is taken to go into rounding.
BFLOAT16 = 0.6
NEIGHBOURS = 4
NEAR = 0.3  # the distance, in doublings, at which a row counts a quarter of what it counts where it stands


@dataclass(frozen=True)
class Shape:
    """What decides how fast a kernel is.

    Attributes:
      map: "fprop", "dgrad" or "wgrad".
      taps: of the window; stride: the largest of its axes; groups: as given.
      pixels: of y, the whole batch's.
      inputs, outputs: channels, of one group.
    """

    map: str
    taps: int
    stride: int
    groups: int
    pixels: int
    inputs: int
    outputs: int

    @classmethod
    def of(cls, call: onednn.Call, a: Sequence[int], b: Sequence[int]) -> "Shape":
        """That of a map's operands."""
        window, y = call.window_and_y(a, b)
        inputs, outputs = call.channels(a, b)
        return cls(call.map, math.prod(window), max(call.stride), call.groups, math.prod(y), inputs, outputs)

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """Of which a row must be to be compared with."""
        window = "1 tap" if self.taps == 1 else "few taps" if self.taps <= 16 else "many taps"
        groups = "whole" if self.groups == 1 else "depthwise" if self.inputs == 1 else "groups"
        return self.map, window, "strided" if self.stride > 1 else "stride 1", groups

    @property
    def products(self) -> float:
        """That the sums which define it make."""
        return float(self.pixels * self.taps * self.inputs * self.outputs * self.groups)

    def distance(self, other: "Shape") -> float:
        """From a row of its kind."""
        pairs = (
            (self.pixels, other.pixels),
            (self.inputs * self.groups, other.inputs * other.groups),
            (self.outputs * self.groups, other.outputs * other.groups),
        )
        return sum(abs(math.log2(a / b)) for a, b in pairs)


@dataclass(frozen=True)
class Row:
    """A convolution that was timed: seconds for each product of `work`, by kernel."""

    shape: Shape
    rates: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows, and where they are from."""

    rows: tuple[Row, ...]
    source: str

    def fastest(self, shape: Shape, work: Mapping[str, float]) -> str:
        """Of the kernels that have `work` to do for this shape, in their products, the one expected to be done first.

        The first one, where no row has the times of any.
        """

        def expected(kernel: str) -> float:
            seconds = self.rate(shape, kernel) * work[kernel]
            return seconds / WORTH if kernel.startswith("winograd") else seconds

        return min(work, key=expected)

    @functools.lru_cache(maxsize=4096)  # noqa: B019 -- tables live as long as the process
    def rate(self, shape: Shape, kernel: str) -> float:
        """Seconds that a kernel is expected to need for a product; infinitely many where no row tells.

        The mean of the nearest rows' logarithms, weighted by the distance's inverse square (Shepard 1968): so a row
        counts for itself, and one that was measured in a busy moment is held back by its neighbours.
        """
        rows = [row for row in self.rows if row.shape.kind == shape.kind and kernel in row.rates]
        if not rows:
            wide = kernel.removesuffix(" bfloat16")
            return BFLOAT16 * self.rate(shape, wide) if wide != kernel else math.inf
        rows = sorted(rows, key=lambda row: row.shape.distance(shape))[:NEIGHBOURS]
        weights = [1 / (row.shape.distance(shape) + NEAR) ** 2 for row in rows]
        logarithms = [weight * math.log(row.rates[kernel]) for weight, row in zip(weights, rows, strict=True)]
        return math.exp(sum(logarithms) / sum(weights))

    def to_json(self) -> str:
        """One line a row."""
        rows = ",\n".join(json.dumps([*vars(row.shape).values(), row.rates]) for row in self.rows)
        return f'{{"rows": [\n{rows}\n]}}\n'

    @classmethod
    def from_json(cls, text: str, source: str) -> "Table":
        """What `to_json` wrote; ValueError for anything else, which names the source."""
        try:
            rows = json.loads(text)["rows"]
            made = tuple(
                Row(Shape(*shape), {name: float(rate) for name, rate in rates.items()}) for *shape, rates in rows
            )
            known = all(set(row.rates) <= set(KERNELS) and min(row.rates.values()) > 0 for row in made)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{source} is no table of kernels' times: {error}.") from None
        if not made or not known:
            raise ValueError(f"{source} is no table of kernels' times; `jaxcnn tune` makes one.")
        return cls(made, source)


def user_file() -> Path:
    """Where `jaxcnn tune` keeps this machine's table."""
    import platformdirs

    name = re.sub(r"\W+", "-", f"{cpu_model()} {os.cpu_count()} cores jaxlib {version('jaxlib')}").strip("-").lower()
    return Path(platformdirs.user_cache_dir("jaxcnn", appauthor=False)) / "kernels" / f"{name}.json"


def cpu_model() -> str:
    """As Linux names it, or else the architecture."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def shipped(instructions: str) -> Table:
    """The one that comes with jaxcnn for "avx2", "avx512" or "amx"."""
    file = resources.files("jaxcnn.kernels") / "tables" / f"{instructions}.json"
    return Table.from_json(file.read_text(), f"jaxcnn's for {instructions}")


@functools.cache
def table() -> Table:
    """The one in use. ValueError where JAXCNN_KERNEL_TABLE names no table; a broken one in the cache is passed over."""
    if named := os.environ.get(VARIABLE):
        try:
            return Table.from_json(Path(named).read_text(), named)
        except OSError as error:
            raise ValueError(f"{VARIABLE} names {named}, which can't be read: {error.strerror}.") from None
    try:
        return Table.from_json(user_file().read_text(), str(user_file()))
    except (OSError, ValueError):
        found = library.find()
        assert isinstance(found, library.Library)
        return shipped(found.instructions)
