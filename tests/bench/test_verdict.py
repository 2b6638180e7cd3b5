"""What is ahead, level and behind: the arithmetic of a verdict, its table and its words."""

import math

import pytest
from rich.console import Console

from jaxcnn.bench import verdict
from jaxcnn.bench.measure import Timing
from jaxcnn.bench.result import Report, Row
from jaxcnn.bench.ways import AUTODIFF, ON_XLA


def row(by, ms, *, spread=0.01, task="net", section="training step", precision="float32", parts=1):
    """Of `parts` equal parts; the quartiles are `spread` of the median away."""
    seconds = 1e-3 * ms / parts
    timing = Timing(seconds, seconds * (1 - spread), seconds * (1 + spread), 7, 1.0, 2.0)
    return Row(section, task, by, precision, {f"part{i}": timing for i in range(parts)})


def found(*rows):
    return verdict.verdicts(Report(None, {}, rows, {}))


def test_the_fastest_of_the_peers_and_the_faster_of_xlas_ways_are_told():
    (made,) = found(
        row("jaxcnn", 10), row(ON_XLA, 30), row(AUTODIFF, 20), row("PyTorch", 15), row("Flax NNX", 40),
        row("jaxcnn, batch norm folded", 5),
    )  # fmt: skip
    assert (made.ours.by, made.peer.row.by, made.xla.row.by) == ("jaxcnn", "PyTorch", AUTODIFF)
    assert (made.peer.ratio, made.xla.ratio) == (pytest.approx(1.5), pytest.approx(2.0))
    assert (made.peer.standing, made.xla.standing) == ("ahead", "ahead")


def test_precisions_and_tasks_are_not_mixed_and_sections_stay_together():
    made = found(
        row("jaxcnn", 10), row("PyTorch", 5, precision="bfloat16"), row("PyTorch", 5, task="other"),
        row("jaxcnn", 1, task="op", section="operation"), row("jaxcnn", 3, precision="bfloat16"),
    )  # fmt: skip
    assert [(v.task, v.ours.precision) for v in made] == [
        ("operation: op", "float32"), ("training step: net", "float32"), ("training step: net", "bfloat16"),
    ]  # fmt: skip
    assert [v.peer and v.peer.ratio for v in made] == [None, None, pytest.approx(5 / 3)]
    assert made[2].peer.standing == "ahead"
    assert not found(row("PyTorch", 5)), "without a time of ours there is nothing to compare"


@pytest.mark.parametrize(
    ("rival", "spread", "standing"),
    [(10.4, 0.0, "level"), (10.6, 0.0, "ahead"), (9.4, 0.0, "behind"), (13, 0.3, "level"), (13, 0.05, "ahead")],
)
def test_a_difference_within_the_noise_is_none(rival, spread, standing):
    (made,) = found(row("jaxcnn", 10, spread=spread), row("PyTorch", rival, spread=spread))
    assert made.peer.standing == standing


def test_the_noise_is_the_standard_error_of_the_ratio():
    (made,) = found(row("jaxcnn", 10, spread=0.1, parts=4), row("PyTorch", 10, spread=0.0))
    one = 1.25 * (0.2 * 2.5e-3) / 1.35 / math.sqrt(7)
    assert made.peer.noise == pytest.approx(math.sqrt(4) * one / 10e-3)


def test_the_words_count_and_name_what_is_behind():
    made = found(
        *(row("jaxcnn", 10, task=task) for task in "abcd"),
        *(row("PyTorch", ms, task=task) for task, ms in zip("abcd", (12, 25, 10, 5), strict=True)),
        row(AUTODIFF, 123, task="a"),
    )
    assert verdict.in_words(made) == (
        "Beside the best peer, of 4 tasks, jaxcnn is ahead in 2 (1.20 to 2.50 times as fast), level in 1, behind in 1: "
        "training step: d takes 2.00 times as long as PyTorch. "
        "Beside XLA's own kernels, of 1 task, jaxcnn is ahead in 1 (12 times as fast)."
    )
    assert verdict.in_words(found(row("jaxcnn", 1))).startswith("Beside other frameworks: no time")
    assert verdict.in_words([]) == "Nothing was timed."


def test_the_table_and_the_data():
    made = found(row("jaxcnn", 10), row("PyTorch", 5))
    console = Console(width=150)
    with console.capture() as captured:
        console.print(verdict.table(made))
    (line,) = (line for line in captured.get().splitlines() if "net" in line)
    assert " ".join(line.split()) == "training step: net 10 ± 1% PyTorch 5 ± 1% 0.50 behind"
    (data,) = [each.to_json() for each in made]
    assert (data["task"], data["xla"], data["peer"]["by"], data["peer"]["standing"]) == (
        "net", None, "PyTorch", "behind",
    )  # fmt: skip
