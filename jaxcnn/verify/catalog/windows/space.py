"""Windows that slide over an image: sizes, steps and padding that go together."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Drawn, Ints, collapsed


@dataclass(frozen=True)
class Windows:
    """Sizes, windows and options for each spatial axis, such that every window fits."""

    sizes: Ints
    window: Ints
    options: dict[str, Any]

    @property
    def axes(self) -> list[tuple[int, int, int, Ints, int]]:
        """(size, window, stride, padding, dilation) for each axis, in numbers."""
        from jaxcnn.ops.geometry import per_axis, resolve_padding

        stride = per_axis("space", "stride", self.options["stride"], len(self.sizes))
        dilation = per_axis("space", "dilation", self.options.get("dilation", 1), len(self.sizes))
        pads = resolve_padding("space", self.options["padding"], self.sizes, self.window, stride, dilation)
        return list(zip(self.sizes, self.window, stride, pads, dilation, strict=True))

    @property
    def out(self) -> Ints:
        """The spatial sizes of the output."""
        from jaxcnn.ops.geometry import output_size

        return tuple(output_size(w, k, stride=s, padding=(p,), dilation=d) for w, k, s, p, d in self.axes)

    @property
    def remainders(self) -> Ints:
        """What the stride leaves over at the end of each padded axis."""
        return tuple((w + low + high - (k - 1) * d - 1) % s for w, k, s, (low, high), d in self.axes)

    @property
    def left_over(self) -> bool:
        """Whether the stride leaves over, along some axis, what another window could start in."""
        starts = (o * s - low for (_, _, s, (low, _), _), o in zip(self.axes, self.out, strict=True))
        ends = zip(self.sizes, self.remainders, starts, strict=True)
        return any(rest > 0 and start < w for w, rest, start in ends)

    @property
    def aborts_xla(self) -> bool:
        """Whether an axis has a window of 2 in steps of 2 after a padding of 1.

        Where another axis has fewer outputs than taps, XLA's algebraic simplifier ends the process as it compiles the
        gradient for x (jaxlib 0.10.2): it takes an axis dilated by its kernel's size 2 for one of groups.
        """
        return len(self.sizes) > 1 and any((k, s, low, d) == (2, 2, 1, 1) for _, k, s, (low, _), d in self.axes)


def windows(draw: Drawn, *, dilated: bool, padding_below_window: bool) -> Windows:
    """Windows over 1 to 3 axes: even and odd, stride beyond the window, remainders, all kinds of padding.

    With `padding_below_window` no window lies wholly in the padding, as pooling demands; nor does it take "CAUSAL".
    """
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    longest = 7 if axes < 3 else 4
    window = tuple(draw(st.sampled_from([1, 2, 3, 2, 4] if axes < 3 else [1, 2, 2])) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, min(3, (longest - 1) // (k - 1)))) if dilated and k > 1 else 1 for k in window)
    extents = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    padding = draw(st.sampled_from(["VALID", "SAME", "pairs", "FULL", "int", *["CAUSAL"] * (not padding_below_window)]))
    if padding == "int":
        most = min(window) - 1 if padding_below_window else 2
        padding = draw(st.integers(0, most))
    elif padding == "pairs":
        most = [k - 1 if padding_below_window else 3 for k in window]
        padding = tuple((draw(st.integers(0, m)), draw(st.integers(0, m))) for m in most)
    sizes = tuple(draw(st.integers(_smallest(padding, axis, e), longest)) for axis, e in enumerate(extents))
    options: dict[str, Any] = {"stride": collapsed(stride), "padding": padding}
    if dilated:
        options["dilation"] = collapsed(dilation)
    return Windows(sizes, window, options)


def _smallest(padding: Any, axis: int, extent: int) -> int:
    """The shortest axis that a window fits."""
    if padding in ("SAME", "FULL", "CAUSAL"):
        return 1
    if padding == "VALID":
        return extent
    low, high = (padding, padding) if isinstance(padding, int) else padding[axis]
    return max(1, extent - low - high)
