"""What is shown while a run goes on: on a terminal of 80 columns, and where there is none."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.cells import cell_len

from jaxcnn import models
from jaxcnn.cli import amounts, progress
from jaxcnn.cli.progress import Progress
from jaxcnn.data import Dataset
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.state import Metrics

RECORD = {
    "epoch": 90,
    "step": 900_900,
    "part": "valid",
    "train_loss": 10.2345,
    "train_accuracy": 0.7,
    "eval_loss": 11.8765,
    "eval_accuracy": 0.69,
    "eval_top5": 0.9,
    "eval_balanced_accuracy": 0.6,
    "eval_calibration_error": 0.1,
    "learning_rate": 0.1,
    "seconds": 12345.678,
    "images_per_second": 12345.6,
    "waiting": 0.07,
}


@pytest.fixture
def experiment():
    """ResNet-18 on as many images as ImageNet has."""
    image, labels = np.zeros((1, 224, 224, 3), np.uint8), np.zeros(1, np.int32)

    def parts(n):
        return np.broadcast_to(image, (n, *image.shape[1:])), np.broadcast_to(labels, n)

    classes = tuple(map(str, range(1000)))
    dataset = Dataset(
        *("imagenet2012", *parts(1_281_167), *parts(100_000), classes, *parts(50_000)),
        layout="folders train, val and test, and in each of them a folder for each class; " * 2,
    )
    network, x = models.create("resnet18", 1000), jax.ShapeDtypeStruct((1, 224, 224, 3), "float32")
    return SimpleNamespace(
        epochs=90,
        dataset=dataset,
        shapes=jax.eval_shape(lambda: network.init(jax.random.key(0), x)),
        steps_per_epoch=10_010,
        total_steps=900_900,
        batch_size=128,
        chosen_by="valid",
        feed=SimpleNamespace(waited=0.0),
        origin=None,
        recipe=TrainConfig(),
    )


class Clock:
    """In place of the module `time`."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(progress, "time", clock := Clock())
    monkeypatch.setattr(progress, "running", lambda: 1234.56)
    monkeypatch.setattr(progress, "memory_in_use", lambda: "103 GB, GPU 139 GB")
    return clock


def metrics(examples):
    """A loss of 9.8765 and an accuracy of 0.5 over so many."""
    return Metrics(*map(jnp.float32, (9.8765 * examples, 0.5 * examples, examples, 0, examples)))


def steps(shown, clock, experiment, numbers, *, seconds, waited=0.0):
    """So many steps, each of which takes so long, of which the device waited so long."""
    for step in numbers:
        clock.now += seconds
        experiment.feed.waited += waited
        shown.step_done(step, metrics(128.0 * ((step - 1) % 10_010 + 1)))


def test_elsewhere_a_long_epoch_tells_where_it_is_now_and_then(experiment, clock, capsys):
    with Progress("resnet18", every=60) as shown:
        shown.started(experiment, 0)
        clock.now += 1000  # compiles
        steps(shown, clock, experiment, range(1, 1001), seconds=0.5, waited=0.1)
        shown.epoch_done(RECORD | {"epoch": 1})
        steps(shown, clock, experiment, range(10_011, 10_201), seconds=0.5)
    lines = capsys.readouterr().out.splitlines()
    _, _, began, heads, first, second, *others = lines
    assert began == "first step after 1234.6 s" and heads.startswith("epoch  train loss")
    # The first as soon as there is one, since the compilation took long.
    assert first == ("epoch 1/90, step 1 of 900,900: loss 9.8765, accuracy 0.5000, 103 GB, GPU 139 GB")
    left = amounts.duration(0.5 * (900_900 - 121))
    assert second == (
        "epoch 1/90, step 121 of 900,900: loss 9.8765, accuracy 0.5000, 256 images/s, waiting 20%, 103 GB, "
        f"GPU 139 GB, {left} left"
    )
    assert re.findall(r"step ([\d,]+) of", "\n".join(others)) == [
        *map(str, range(241, 1001, 120)),
        "10,130",
    ]


def test_the_bar_tells_the_epoch_of_the_step_that_is_done(experiment, clock, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, to rich
    with Progress("resnet18") as shown:
        shown.started(experiment, 0)
        steps(shown, clock, experiment, [20_020], seconds=1)
    out = capsys.readouterr().out
    assert "epoch 2/90" in out and "epoch 3" not in out


def test_no_line_breaks_on_a_terminal_of_80_columns(experiment, clock, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, to rich
    monkeypatch.setenv("COLUMNS", "80")
    with Progress("resnet18") as shown:
        shown.started(experiment, 890_000)
        steps(shown, clock, experiment, range(890_001, 890_100), seconds=0.01, waited=0.01)
        shown._bar.refresh()  # which is else a thread's
        shown.epoch_done(RECORD)
    out = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", out)]
    assert max(map(cell_len, lines)) <= 80
    assert "   90     10.2345    0.7000     11.8765    0.6900    12,346       7%  12345.68" in lines
    (bar,) = {line for line in lines if "890080/900900" in line}
    assert re.fullmatch("epoch 89/90 ━+╸ 890080/900900 steps, 0:01:48 left", bar) and cell_len(bar) == 80
    assert "\nloss 9.8765  accuracy 0.5000  12,800 images/s  waiting 100%  103 GB, GPU 139 GB" in out


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00:00"), (59.6, "0:01:00"), (3723, "1:02:03"), (443_045, "123:04:05")]
)
def test_durations(seconds, words):
    assert amounts.duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((0, "0 B"), (999, "999 B"), (999.6, "1.0 kB"), (12_345_678, "12.3 MB"), (99_960_000, "100 MB")),
        *((139e9, "139 GB"), (5e15, "5000 TB")),
    ],
)
def test_memory_in_words(size, words):
    assert amounts.memory(size) == words


def test_memory_in_use_is_of_this_process_and_its_fullest_device(monkeypatch):
    held = np.ones(50_000_000)
    number, unit = amounts.memory_in_use().split()
    assert float(number) * 1000 ** amounts.UNITS.index(unit) > held.nbytes
    devices = [SimpleNamespace(platform="gpu", memory_stats=lambda n=n: {"bytes_in_use": n}) for n in (7e9, 9e9)]
    monkeypatch.setattr(jax, "local_devices", lambda: devices)
    assert amounts.memory_in_use().endswith(", GPU 9.0 GB")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux tells it here")
def test_a_process_runs_since_it_was_started(monkeypatch):
    (start,) = re.findall(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.M)
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    monkeypatch.setattr(amounts.time, "time", lambda: int(start) + ticks / os.sysconf("SC_CLK_TCK") + 2.5)
    assert amounts.running() == pytest.approx(2.5, abs=0.02)
