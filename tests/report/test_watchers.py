"""What TensorBoard and Weights & Biases are told is what metrics.jsonl tells, also of a run that is resumed."""

import sys

import numpy as np
import pytest

from jaxcnn.cli.watchers import watchers
from jaxcnn.report.tensorboard import TensorBoard
from jaxcnn.train.loop import train
from tests.report.events import masked, read
from tests.train.test_loop import CtrlC
from tests.train.tiny import config

UNTOLD = ("step", "epoch", "part")


def run(options, *others):
    with watchers(options) as heard:
        return train(options, *heard, *others).run


def told(run):
    """What metrics.jsonl tells: {step: {name: value}}."""
    scalars = {}
    for kind, records in (("steps", run.steps()), ("epoch", run.metrics())):
        for record in records:
            values = {f"{kind}/{name}": value for name, value in record.items() if name not in UNTOLD}
            scalars.setdefault(record["step"], {}).update(values)
    for record in run.layers():
        values = {
            f"layers/{kind}/{path}": norm for kind in ("delta", "gradient") for path, norm in record[kind].items()
        }
        scalars.setdefault(record["step"], {}).update({"layers/images": record["images"]} | values)
    return scalars


def test_the_reader_knows_crc32c():
    assert masked(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF  # RFC 3720's


def test_event_files_tell_what_metrics_jsonl_tells(tmp_path):
    pytest.importorskip("tensorboardX")
    run(config(tmp_path, tensorboard=True, log_every=4, layer_norms="yes"), CtrlC(13))
    (first,) = (tmp_path / "tensorboard").iterdir()
    made = run(config(tmp_path, tensorboard=True, log_every=4, resume=True, layer_norms="yes"))
    (second,) = set((tmp_path / "tensorboard").iterdir()) - {first}
    before, (start, *after) = read(first), read(second)
    assert (start.step, start.start) == (14, True) and {event.step for event in before} == {0, 4, 8, 11, 13}
    scalars = {}
    for event in (*before, *after):
        scalars.setdefault(event.step, {}).update(event.scalars)
    expected = told(made)
    assert scalars.keys() == expected.keys() == {0, 4, 8, 11, 13, 15, 19, 22}
    for step, values in expected.items():
        assert scalars[step] == {name: np.float32(value) for name, value in values.items()}


def test_each_beginning_has_an_event_file_of_its_own(tmp_path, trained):
    pytest.importorskip("tensorboardX")
    for count in (1, 2, 3):  # within a second
        with TensorBoard(tmp_path) as board:
            board.started(trained.experiment, 0)
        assert len(list(tmp_path.iterdir())) == count


def test_weights_and_biases_are_told_what_metrics_jsonl_tells(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    sent, init = [], wandb.init
    begun = []

    def heard(**options):
        begun.append(options)
        run = init(**options)
        log = run.log
        monkeypatch.setattr(run, "log", lambda values, step: (sent.append((step, values)), log(values, step=step)))
        return run

    monkeypatch.setattr(wandb, "init", heard)
    run(config(tmp_path / "run", wandb="mine", log_every=4), CtrlC(13))
    made = run(config(tmp_path / "run", wandb="mine", log_every=4, resume=True))
    first, second = begun
    assert first["id"] == second["id"] and first["resume"] == "allow"
    assert (first["project"], first["name"], first["config"]["epochs"]) == ("mine", "run", 2)
    scalars = {}
    for step, values in sent:
        scalars.setdefault(step, {}).update(values)
    assert scalars == told(made)
    files = sorted((tmp_path / "run/wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2 and first["id"] in files[0].name


@pytest.mark.parametrize(
    ("package", "option", "message"),
    [
        ("tensorboardX", ["--tensorboard"], "--tensorboard needs the package tensorboardX; install it with: pip in"),
        ("wandb", ["--wandb", "my-nets"], "--wandb my-nets needs the package wandb; install it with: pip install "),
    ],
)
def test_a_package_that_is_missing_is_named_before_anything_is_done(
    tmp_path, monkeypatch, capfd, package, option, message
):
    from jaxcnn.cli.main import main

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as exit:
        main([*config(tmp_path / "run").command().split()[1:], *option])
    out, err = capfd.readouterr()
    assert (exit.value.code, out) == (2, "") and err.startswith(f"error: {message}") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
