"""`jaxcnn verify`: every handwritten backward pass, or your own, against oracles that know nothing of it."""

import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from jaxcnn.verify.pool import Verdict


@dataclass(frozen=True)
class VerifyOptions:
    """Test backward passes: jaxcnn's rules, or one of your own (MODULE:NAME).
    $ jaxcnn verify --rule conv
    """

    target: tyro.conf.Positional[str | None] = None
    """Your own rule or function, as my_module:my_rule or path/to/file.py:my_rule, in place of jaxcnn's rules."""
    rule: tuple[str, ...] = ()
    """Only these of jaxcnn's rules, by name."""
    faults: bool = False
    """Also plant the catalogue of wrong backward passes, each of which must be found."""
    json: Path | None = None
    """Write everything that was found to this file."""
    seed: int = 0
    """Of the shapes, options and values that are drawn."""
    cases: int = 8
    """How many shapes and options are tried for each rule."""
    shapes: tuple[str, ...] = ()
    """For MODULE:NAME: each argument's shape, such as 2,5,5,3 3,3,3,4 none; none is an argument that is absent."""
    options: str = "{}"
    """For MODULE:NAME with --shapes: its keyword arguments as JSON, such as '{"stride": 2}'."""
    reference: str | None = None
    """For MODULE:NAME with --shapes, where NAME is no rule: the same function that JAX may differentiate."""


def run(options: VerifyOptions) -> int:
    """Print a row for each rule, what failed, and the verdict; returns 0, or 1 if a rule fails or a fault survives."""
    if options.cases < 1:
        raise ValueError(f"--cases is {options.cases}; expected 1 or more.")
    if options.json is not None and not options.json.resolve().parent.is_dir():
        raise ValueError(f"--json is {options.json}, but the folder {options.json.resolve().parent} does not exist.")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", scratch)  # or it would leave a folder here
        started = time.perf_counter()
        found = list(_shown(_verdicts(options), faults=options.faults))
    ok = _conclude(found, time.perf_counter() - started)
    if options.json is not None:
        options.json.write_text(_json(found, options, ok))
        print(f"report {options.json}")
    return 0 if ok else 1


def _verdicts(options: VerifyOptions) -> "tuple[int, Iterable[Verdict]]":
    """How many verdicts there will be, and the verdicts."""
    from jaxcnn.cli.target import verify_target
    from jaxcnn.ops import RULES
    from jaxcnn.verify.pool import Verdict, two_devices, verdicts

    two_devices()
    if options.target is not None:
        if options.rule or options.faults:
            raise ValueError(
                f"--rule and --faults are for jaxcnn's own rules; leave them out to verify {options.target}."
            )
        report = verify_target(
            options.target,
            shapes=options.shapes,
            options=options.options,
            reference=options.reference,
            cases=options.cases,
            seed=options.seed,
        )
        return 1, [Verdict(report, None)]
    if options.shapes or options.options != "{}" or options.reference:
        raise ValueError("--shapes, --options and --reference need a MODULE:NAME; jaxcnn's rules draw their own.")
    unknown = sorted(set(options.rule) - set(RULES))
    if unknown:
        raise ValueError(f"--rule {' '.join(unknown)}: unknown; expected some of {', '.join(sorted(RULES))}.")
    names = sorted(set(options.rule) or RULES)
    return len(names), verdicts(names, faults=options.faults, cases=options.cases, seed=options.seed)


def _shown(counted: "tuple[int, Iterable[Verdict]]", *, faults: bool) -> "Iterator[Verdict]":
    """The verdicts, each with its row; on a terminal a bar runs under the rows."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from jaxcnn.cli.console import Console

    total, found = counted
    console = Console(soft_wrap=True)
    columns = TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("rules"), TimeElapsedColumn()
    line = "{:<24} {:>6}  {:>6}  {:>11}  {:>7}  {:<6}" + ("  {:>13}" if faults else "")
    headings = ["rule", "cases", "checks", "worst error", "seconds", "result", "faults killed"]
    console.print(line.format(*headings[: 6 + faults]).rstrip())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        for verdict in found:
            report, kills = verdict.report, verdict.kills
            ran = sum(c.status != "skipped" for c in report.checks)
            seconds = report.seconds + (kills.seconds if kills else 0)
            row = [report.name, report.cases, ran, f"{report.worst:.3g}", f"{seconds:.1f}"]
            row.append("ok" if report.ok else "FAILS")
            if kills:
                row.append(f"{len(kills.killed)} of {len(kills.killed) + len(kills.survivors)}")
            console.print(line.format(*row).rstrip())
            bar.advance(task)
            yield verdict


def _conclude(found: "list[Verdict]", seconds: float) -> bool:
    """Print what failed and what survived, and the verdict; True where nothing did."""
    for verdict in found:
        if not verdict.report.ok:
            print(f"\n{verdict.report}")
    kills = [v.kills for v in found if v.kills]
    for one in kills:
        for name, reason in one.equivalent.items():
            print(f"equivalent  {one.rule}: {name} ({reason})")
        for name in one.survivors:
            print(f"SURVIVES    {one.rule}: {name}")
        for name in one.mistaken:
            print(f"NOT EQUIVALENT  {one.rule}: {name} is listed as such, but was found")
    for verdict in found:
        notes = {c.note for c in verdict.report.checks if c.name == "autodiff" and c.status == "skipped"}
        if "no reference was given" in notes:
            print(f"\n{verdict.report.name}: without --reference, what happens at ties and kinks was not checked")
    passed = sum(v.report.ok for v in found)
    print(f"\n{passed} of {len(found)} verified in {seconds:.0f} s; an error of 1 is the most that rounding allows")
    if kills:
        killed, survived = sum(len(k.killed) for k in kills), sum(len(k.survivors) for k in kills)
        print(f"{killed} of {killed + survived} planted faults found")
    return all(v.ok for v in found)


def _json(found: "list[Verdict]", options: VerifyOptions, ok: bool) -> str:
    import jax

    rules = []
    for verdict in found:
        rules.append(json.loads(verdict.report.to_json()))
        if verdict.kills:
            rules[-1]["faults"] = verdict.kills.to_dict()
    settings = {"jax": jax.__version__, "seed": options.seed, "cases": options.cases}
    return json.dumps({"ok": ok} | settings | {"rules": rules}, indent=2)
