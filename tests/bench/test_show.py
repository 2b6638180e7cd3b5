"""What a report says: header, tables, JSON and picture."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image
from rich.console import Console

from jaxcnn.bench import show
from jaxcnn.bench.measure import Timing
from jaxcnn.bench.networks import problem
from jaxcnn.bench.ops import Case
from jaxcnn.bench.plan import Plan
from jaxcnn.bench.result import Report, Row
from jaxcnn.report.machine import Machine, machine

HERE = Machine(
    "A CPU",
    "A CPU",
    ("avx2", "amx_bf16"),
    2,
    0.1,
    {"Python": "3.11", "jax": "0.10"},
    "2026-01-01",
    "jaxcnn bench --ops all",
)


def timing(ms):
    return Timing(1e-3 * ms, 0.9e-3 * ms, 1.1e-3 * ms, 7, 1.5, 1.9)


def row(by, *ms, precision="float32", section="operation", task="a task", **more):
    parts = dict(zip(("forward", "dx", "dkernel"), map(timing, ms), strict=False))
    return Row(section, task, by, precision, parts, dict.fromkeys(parts, 1e9), **more)


@pytest.fixture
def report():
    rows = (
        row("jaxcnn", 10, 20, 30, difference=0.0, share=0.5),
        row("other", 20, 40, 60, difference=1e-6),
        row("jaxcnn", 5, 5, 5, precision="bfloat16", difference=2e-3),
        row("Equinox", refused="Untranslatable: [a] layer"),
        row("jaxcnn", 1234.5, section="training step", task="net"),
        row("alone", 0.0123, section="training step", task="other net"),
    )
    return Report(HERE, {"float32": 3e11, "memory": 2e10}, rows, {"torch": "pip install torch"})


def printed(report):
    console = Console(width=200)
    with console.capture() as captured:
        for title, rows in report.contests():
            console.print(show.table(report, title, rows))
    return captured.get()


def test_the_header_says_where_when_and_how(report):
    assert show.header(report).splitlines() == [
        "A CPU, 2 cores avx2 amx_bf16",
        "Python 3.11, jax 0.10",
        "2026-01-01  jaxcnn bench --ops all",
        "peaks measured here: float32 300 GFLOP/s, memory 20 GB/s",
        "not compared with torch; to have it: pip install torch",
    ]


def test_a_gpu_and_a_busy_machine_are_named(report):
    busy = Machine("A GPU", "A CPU", (), 2, 3.0, {}, "", "")
    text = show.header(Report(busy, {}, (), {}))
    assert "A GPU, beside A CPU, 2 cores\n" in text
    assert "OTHER PROGRAMS RAN: 3.0" in text
    assert "OTHER" not in show.header(report)


def test_a_line_of_the_table(report):
    lines = {
        line.split(",")[0].strip(): " ".join(line.split()) for line in printed(report).splitlines() if "other," in line
    }
    assert lines["other"] == "other, float32 20 ± 10% 40 ± 10% 60 ± 10% 2.00 25 GFLOP/s 1.9 4.5 1e-06"
    text = printed(report)
    assert "1,234 ± 10%" in text and "0.0123 ± 10%" in text
    assert "Equinox" not in text, "it has no times"


def test_ratios_are_to_ours_of_the_same_task_and_precision(report):
    assert [report.ratio(r) for r in report.rows] == [1.0, pytest.approx(2.0), 1.0, None, 1.0, None]


def test_why_someone_has_no_time_is_said(report):
    (title, rows), *_ = report.contests()
    assert title == "operation: a task"
    assert show.refusals(rows) == ["no time for Equinox, float32: Untranslatable: [a] layer"]


def test_json_holds_everything(report):
    found = json.loads(report.to_json())
    assert found["machine"]["command"] == "jaxcnn bench --ops all"
    assert found["peaks"] == {"float32": 3e11, "memory": 2e10}
    assert found["missing"] == {"torch": "pip install torch"}
    first, *_ = found["rows"]
    assert (first["by"], first["ratio"], first["share"]) == ("jaxcnn", 1.0, 0.5)
    assert first["seconds"] == pytest.approx(0.06)
    assert first["rate"] == pytest.approx(3e9 / 0.06)
    assert first["timings"]["dx"]["median"] == pytest.approx(0.02)
    assert found["rows"][3]["refused"] == "Untranslatable: [a] layer"


def test_the_picture_has_a_panel_for_each_task(report, tmp_path):
    show.picture(report, tmp_path / "one.png")
    many = Report(HERE, {}, tuple(row(by, 1, task=f"task {i}") for i in range(30) for by in "abcde"), {})
    show.picture(many, tmp_path / "many.png")
    one, more = (Image.open(tmp_path / name).size for name in ("one.png", "many.png"))
    assert more[0] > one[0] and more[1] > one[1], "more panels, in more columns"


def test_a_picture_of_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="nothing can be drawn"):
        show.picture(Report(HERE, {}, (row("a", refused="why"),), {}), tmp_path / "p.png")


def test_this_machine(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    here = machine()
    assert "GLIBC_TUNABLES=glibc.malloc.hugetlb=0 " in here.command, "it changes times"
    assert here.cores >= 1 and here.processor
    assert {"Python", "jax"} <= set(here.versions)


def test_a_plan_is_measured_and_its_progress_told():
    told = []
    cases = [Case(name, name, ((4, 4),)) for name in ("relu", "gelu")]
    plan = Plan(cases=cases, peers=(), repeats=1, peak_size=32)
    none, one, report = plan.measure(lambda task, done: told.append((task, done)))
    assert [len(r.rows) for r in (none, one, report)] == [0, 2, 4]
    assert [(r.task, r.by) for r in report.rows] == [
        (task, by) for task in ("relu", "gelu") for by in ("jaxcnn", "jax.grad of the same")
    ]
    assert set(none.peaks) == {"float32", "memory"}
    assert report.rows[0].share == pytest.approx(report.rows[0].rate / report.peaks["memory"])
    assert told[0] == ("this machine's peak", 0.0)
    assert told[-1] == ("gelu", pytest.approx(1.0))


def test_a_peer_that_is_not_installed_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr("jaxcnn.bench.plan.installed", lambda package: False)
    (report,) = Plan(repeats=1, peak_size=8).measure()
    assert report.missing["flax"] == 'pip install "jaxcnn[peers]"'
    assert report.missing["torch"].startswith("pip install torch")


@pytest.fixture
def slow_clock(monkeypatch):
    """Time that only contests make pass, 10 s each or 2 of an operation: (task, until, hurry) of those held."""
    now = [0.0]
    held = []

    def hold(self, repeats, peaks, tick, until, hurry):
        now[0] += 2 if self.section == "operation" else 10
        held.append((self.task, until, hurry))
        return [Row(self.section, self.task, "jaxcnn", "float32")]

    monkeypatch.setattr("jaxcnn.bench.plan.time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr("jaxcnn.bench.plan.Contest.hold", hold)
    monkeypatch.setattr("jaxcnn.bench.plan.peaks", lambda *_: {})
    return held


def test_a_budget_alternates_shares_what_is_left_and_leaves_out_what_does_not_fit(slow_clock):
    cases = [Case(name, name, ((4, 4),)) for name in ("relu", "gelu", "silu", "tanh")]
    plan = Plan(cases=cases, inference=[problem("lenet5")], peers=())
    (*_, report) = replace(plan, budget=18.0).measure()
    assert slow_clock == [
        ("relu", 18.0, 3.0),
        ("lenet5, 1×28×28×1", 18.0, pytest.approx(2 + 16 / 5)),
        ("gelu", 18.0, pytest.approx(12 + 6 / 4)),
        ("silu", 18.0, pytest.approx(14 + 4 / 2)),
        ("tanh", 18.0, 18.0),
    ]
    assert [row.task for row in report.rows] == [task for task, *_ in slow_clock]
    assert report.left_out == ("inference: lenet5, 64×28×28×1",), "as long as the other answer: not as an operation"
    slow_clock.clear()
    (*_, report) = plan.measure()
    answers = ["lenet5, 1×28×28×1", "lenet5, 64×28×28×1"]
    assert [task for task, *_ in slow_clock] == ["relu", "gelu", "silu", "tanh", *answers]
    assert {(until, hurry) for _, until, hurry in slow_clock} == {(math.inf, math.inf)}
    assert not report.left_out


def test_who_is_left_out_of_training_steps_still_answers():
    task = problem("lenet5")
    made = Plan(training=[task], inference=[task], peers=("flax",), without=("jax.grad of the same",)).contests()
    assert [("jax.grad of the same" in [entrant.by for entrant in contest.entrants]) for contest in made] == [
        False, True, True,
    ]  # fmt: skip


def test_when_the_budget_is_over_nothing_begins(slow_clock):
    cases = [Case(name, name, ((4, 4),)) for name in ("relu", "gelu")]
    (*_, report) = Plan(cases=cases, peers=(), budget=1.0).measure()
    assert ([task for task, *_ in slow_clock], report.left_out) == (["relu"], ("operation: gelu",))
