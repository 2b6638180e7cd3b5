"""Streamed training: the same batches, and so the same bits, as from memory; resumed anywhere; what ends it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image

from jaxcnn.data import load, train_batches
from jaxcnn.data.ahead import read_ahead
from jaxcnn.train import feed as feed_module
from jaxcnn.train.checkpoint import Damaged
from jaxcnn.train.epochs import Watcher
from jaxcnn.train.experiment import prepare
from jaxcnn.train.feed import Batches, Order, Streamed
from jaxcnn.train.loop import train
from jaxcnn.train.placement import Placement
from jaxcnn.train.restore import restore
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC, figures
from tests.train.tiny import STEPS, config

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 2, 3, 1)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0], np.int32)


def streamed(epochs=4, balanced=False, workers=0, images=IMAGES):
    return Streamed(images, Order(LABELS, 3, seed=5, balanced=balanced), Placement(), workers, steps=3 * epochs)


def expected(step, balanced=False):
    epoch, start = divmod(step, 3)
    return list(train_batches(IMAGES, LABELS, 3, seed=5, epoch=epoch, start=start, balanced=balanced))


def same(batches, right):
    for batch, of_host in zip(batches, right, strict=True):
        for array, other in zip(batch, of_host, strict=True):
            assert array.dtype == other.dtype
            np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("balanced", [False, True])
def test_batches_are_those_of_the_host_from_any_step(balanced):
    feed = streamed(balanced=balanced)
    for step in (0, 3, 6, 9, 4, 11, 0, 2, 3, 12, 13):  # epoch by epoch, from wherever one resumes, after the last
        same(feed.rest_of_epoch(step), expected(step, balanced))


def test_what_was_seen_is_not_decoded_again():
    asked = []

    class Spy:
        shape, dtype = IMAGES.shape, IMAGES.dtype

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, rows):
            asked.append(tuple(rows))
            return IMAGES[rows]

    same(streamed(epochs=2, images=Spy()).rest_of_epoch(4), expected(4))
    order = np.random.default_rng((5, 1)).permutation(11)
    assert sorted(asked) == sorted([tuple(order[3:6]), tuple(order[6:9])])


def test_after_an_error_it_begins_anew():
    class Broken:
        shape, dtype, broken = IMAGES.shape, IMAGES.dtype, True

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, rows):
            if self.broken:
                raise ValueError("a bad picture")
            return IMAGES[rows]

    images = Broken()
    feed = streamed(images=images)
    with pytest.raises(ValueError, match="a bad picture"):
        next(feed.rest_of_epoch(1))
    images.broken = False
    same(feed.rest_of_epoch(1), expected(1))


def test_a_process_reads_its_part_of_the_batch_alone():
    batches = Batches(IMAGES, Order(LABELS, 4, seed=5, balanced=False), np.array([2, 3]), steps=6)
    rows = np.random.default_rng((5, 1)).permutation(11)[4:8]
    images, labels = batches[3]
    np.testing.assert_array_equal(images, IMAGES[rows[2:]])
    np.testing.assert_array_equal(labels, LABELS[rows[2:]])


def test_waiting_is_what_comes_after_the_step_that_ran(monkeypatch):
    done, log = threading.Event(), []

    class Slow:
        """Images that are not read before the step is done."""

        shape, dtype = IMAGES.shape, IMAGES.dtype

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, rows):
            assert done.wait(60)
            return IMAGES[rows]

    def block_until_ready(metrics):
        log.append(metrics)
        done.set()

    def clock():
        log.append("clock")
        return 7.0 * len(log)

    monkeypatch.setattr(feed_module.jax, "block_until_ready", block_until_ready)
    monkeypatch.setattr(feed_module, "time", SimpleNamespace(perf_counter=clock))
    feed = streamed(images=Slow())
    feed.running("metrics")
    batches = feed.rest_of_epoch(0)
    next(batches)
    assert (log, feed.waited) == (["metrics", "clock", "clock"], 7.0)
    wait(feed._ahead)
    next(batches)  # which is there
    assert (log, feed.waited) == (["metrics", "clock", "clock"], 7.0)


def test_a_streamed_run_ends_in_the_bits_of_one_in_memory(trained, tmp_path):
    run = train(config(tmp_path, stream="always"))
    assert isinstance(run.experiment.feed, Streamed)
    assert leaves(run.state) == leaves(trained.state) and figures(run) == figures(trained)


def test_it_goes_on_from_within_an_epoch_also_from_memory(trained, tmp_path):
    stopped = train(config(tmp_path, stream="always"), CtrlC(at=STEPS + 3))
    assert stopped.state.step == STEPS + 3
    again = train(config(tmp_path, stream="never", resume=True), CtrlC(at=STEPS + 6))
    assert again.state.step == STEPS + 6
    assert leaves(train(config(tmp_path, stream="always", resume=True)).state) == leaves(trained.state)


def test_a_run_of_an_earlier_version_goes_on(trained, tmp_path):
    train(config(tmp_path), CtrlC(at=STEPS + 3))
    file = tmp_path / "config.json"
    written = json.loads(file.read_text())
    del written["sha256"], written["config"]["stream"], written["config"]["workers"]
    file.write_text(json.dumps(written))
    assert leaves(train(config(tmp_path, resume=True)).state) == leaves(trained.state)


def pictures(root):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for i in range(30):
            Image.fromarray(rng.integers(0, 256, (8, 8)).astype(np.uint8)).save(root / name / f"{i}.png")
    return root


def test_a_picture_that_can_not_be_read_ends_training_and_its_repair_lets_it_go_on(tmp_path):
    data = pictures(tmp_path / "data")
    options = {"data": str(data), "image_size": None, "batch_size": 8, "stream": "always"}
    right = train(config(tmp_path / "right", **options))
    bad = data / "dog" / "7.png"
    whole = bad.read_bytes()

    class Breaks(Watcher):
        def step_done(self, step, metrics):
            if step == 2:
                bad.write_bytes(whole[:-60])

    with pytest.raises(ValueError, match=rf"the picture {bad} can't be read"):
        train(config(tmp_path / "run", save_every="0.000001s", **options), Breaks())
    bad.write_bytes(whole)
    again = train(config(tmp_path / "run", resume=True, **options))
    assert leaves(again.state) == leaves(right.state)


def test_by_processes_across_epochs_until_one_dies():
    feed = streamed(workers=2, epochs=1000)
    for step in (0, 3, 6, 7):
        same(feed.rest_of_epoch(step), expected(step))
        if step == 0:
            first = set(workers_of(os.getpid()))
    alive = set(workers_of(os.getpid()))
    assert len(first) == len(alive) == 2
    last = feed.rest_of_epoch(9)
    next(last)
    alive = workers_of(os.getpid())
    for worker in alive:
        worker.send_signal(signal.SIGINT)  # which Ctrl-C sends to all processes of a terminal
        worker.send_signal(signal.SIGTERM)
    next(last)
    for worker in alive:
        worker.kill()
    with pytest.raises(ChildProcessError, match=r"a process that reads the images has died: .*exit code -9.*workers=0"):
        for step in (11, *range(12, 60, 3)):
            list(feed.rest_of_epoch(step))
    feed.close()
    assert not workers_of(os.getpid())


def test_what_goes_wrong_in_a_process_is_told_by_this_one(tmp_path):
    lazy = load(pictures(tmp_path), stream="always").train_images
    (tmp_path / "cat" / "9.png").unlink()
    with pytest.raises(ValueError, match=r"cat/9\.png can't be read: there is no such file"):
        list(read_ahead(Batches(lazy, Order(np.zeros(48, np.int32), 48, 0, False), np.arange(48), 1), workers=1))


def saved_step(folder):
    """Of the last checkpoint; 0 where it is just being replaced."""
    try:
        return restore(folder).state.step
    except (FileNotFoundError, Damaged):
        return 0


def workers_of(pid):
    return [p for p in psutil.Process(pid).children(recursive=True) if "--multiprocessing-fork" in p.cmdline()]


def test_killed_within_a_streamed_epoch_it_leaves_no_process_and_ends_in_the_same_bits(trained, tmp_path):
    options = ["--model", "tiny", "--image-size", 8, "--epochs", 2, "--batch-size", 128, "--learning-rate", 0.02]
    options += ["--label-smoothing", 0.0, "--stream", "always", "--workers", 1, "--save-every", 0.001]
    command = [sys.executable, "-m", "tests.train.killed", *map(str, options), "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert any("reached" in line for line in process.stdout)  # step STEPS + 4 is done, and waits
        while saved_step(tmp_path / "run") <= STEPS:  # a checkpoint is written while the steps go on
            time.sleep(0.1)
        workers = workers_of(process.pid)
        process.kill()
    assert len(workers) == 1 and not psutil.wait_procs(workers, timeout=20)[1]
    assert STEPS < saved_step(tmp_path / "run") < 2 * STEPS
    again = train(config(tmp_path / "run", stream="always", resume=True))
    assert leaves(again.state) == leaves(trained.state) and figures(again) == figures(trained)


def test_a_memory_map_can_be_streamed(trained, tmp_path):
    digits = load("digits", image_size=8)
    np.save(tmp_path / "images.npy", digits.train_images)
    data = replace(digits, train_images=np.load(tmp_path / "images.npy", mmap_mode="r"), workers=0)
    experiment = prepare(config(tmp_path / "run"), data)
    images, labels = next(experiment.feed.rest_of_epoch(3))
    right = next(trained.experiment.feed.rest_of_epoch(3))
    np.testing.assert_array_equal(images, right[0])
    np.testing.assert_array_equal(labels, right[1])
