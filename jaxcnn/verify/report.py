"""What a verification found: failures that say where and why, as a table and as JSON."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Region = Literal["corner", "border", "remainder", "tie", "zero", "kink", "interior", "everywhere"]


@dataclass(frozen=True)
class Failure:
    """One argument's cotangent that one check found wrong, at its worst entry.

    Attributes:
      check: the check that found it, such as "autodiff" or "vmap".
      argument: the name of the array whose cotangent it is; "" where it concerns all of them.
      message: what is wrong, in a sentence.
      index: the worst entry's index, None where no single entry is meant (a wrong shape, an exception).
      region: what the wrong entries have in common: they lie at corners (the ends of two or more axes), at a border
        (the ends of one), where no output looks (the remainder that a stride leaves), only at ties or exact zeros of
        the input, somewhere inside, or everywhere.
      got, expected: the values at `index`.
      input: the kind of input that shows it ("given", "separated", "zeros", "ties", ...).
      shapes: every array's dtype and shape, such as {"x": "float64[2,5,4,3]"}; the smallest that still fails where
        shapes were searched.
      options: the options of the failing case.
      cause: the wrong derivation that gives just these numbers, where one is known.
    """

    check: str
    argument: str
    message: str
    index: tuple[int, ...] | None = None
    region: Region | None = None
    got: float | None = None
    expected: float | None = None
    input: str = "given"
    shapes: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    cause: str | None = None

    def __str__(self) -> str:
        where = f"d{self.argument}: " if self.argument else ""
        at = "" if self.index is None else f" at {list(self.index)} ({self.region})"
        values = "" if self.index is None else f": got {self.got:.9g}, expected {self.expected:.9g}"
        lines = [f"[{self.check}] {where}{self.message}{at}{values}"]
        arrays = ", ".join(f"{name} {shape}" for name, shape in self._shown())
        lines.append(f"    input {self.input!r}: {arrays}")
        if self.options:
            lines.append("    options: " + ", ".join(f"{k}={v!r}" for k, v in self.options.items()))
        if self.cause:
            lines.append(f"    likely cause: {self.cause}")
        return "\n".join(lines)

    def _shown(self) -> list[tuple[str, str]]:
        """The shapes to print: all of a few; of a network's many the one that is meant and the last, its input."""
        if len(self.shapes) <= 8:
            return list(self.shapes.items())
        shown = [(name, s) for name, s in self.shapes.items() if name in (self.argument, list(self.shapes)[-1])]
        return [*shown, ("and", f"{len(self.shapes) - len(shown)} more")]


@dataclass(frozen=True)
class Check:
    """One check's outcome.

    Attributes:
      name: of the check.
      status: "ok", "failed", or "skipped" with the reason in `note`.
      worst: the largest error met, as a fraction of what rounding allows: at most 1 in a check that passes; None for a
        check that measures nothing.
      note: what was left out, and why.
    """

    name: str
    status: Literal["ok", "failed", "skipped"]
    worst: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """The checks that were run on one function, and their failures. `str()` gives a table, `to_json()` JSON."""

    name: str
    checks: tuple[Check, ...]
    failures: tuple[Failure, ...]
    cases: int = 1
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where checks were run and none failed."""
        return bool(self.checks) and not self.failures

    @property
    def worst(self) -> float:
        """The largest error of all checks, as a fraction of what rounding allows."""
        return max((c.worst for c in self.checks if c.worst is not None), default=0.0)

    def to_json(self) -> str:
        """The report as a JSON object; infinities and NaN are written as strings, so that any reader takes it."""
        return json.dumps({"ok": self.ok} | _plain(asdict(self)), indent=2, allow_nan=False)

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        ran = sum(c.status != "skipped" for c in self.checks)
        verdict = "passes" if self.ok else f"FAILS with {len(self.failures)} failure(s)"
        table = Table("check", "result", "worst error", "note")
        for check in self.checks:
            worst = "" if check.worst is None else f"{check.worst:.2g}"
            table.add_row(check.name, check.status, worst, check.note)
        console = Console(width=120, color_system=None)
        with console.capture() as text:
            console.print(
                f"{self.name} {verdict}: {ran} checks, {self.cases} case(s), {self.seconds:.1f} s", markup=False
            )
            console.print(table)
            for failure in self.failures:
                console.print(f"\n{failure}", markup=False, highlight=False, soft_wrap=True)
        return text.get().rstrip()


def _plain(value: Any) -> Any:
    """`value` in what JSON knows: options may hold any hashable thing."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
