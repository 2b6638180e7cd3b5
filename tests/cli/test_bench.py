"""`jaxcnn bench` as it is typed: tables, what it writes, and its errors."""

import json

import pytest

from jaxcnn.cli.bench import BenchOptions, plan


@pytest.fixture(autouse=True)
def small_peaks(monkeypatch):
    """This machine's peak is of no interest here, and takes seconds."""
    monkeypatch.setattr("jaxcnn.bench.plan.peaks", lambda precisions, size: dict.fromkeys(precisions, 1e9))


def test_tables_json_and_picture(jaxcnn, tmp_path):
    files = ["--json", tmp_path / "out.json", "--picture", tmp_path / "out.png"]
    tiny = ["--batch-size", 2, "--image-size", 8, "--repeats", 1, "--precision", "float32", "--peers", "none"]
    code, out, _ = jaxcnn("bench", "--steps", "lenet5", "--inference", "lenet5", *tiny, *files)
    assert code == 0
    titles = ["training step: lenet5, 2×8×8×1", "inference: lenet5, 1×8×8×1", "inference: lenet5, 64×8×8×1"]
    assert [line.strip() for line in out.splitlines() if ": lenet5" in line] == titles
    assert out.splitlines()[-2:] == [f"report {tmp_path / 'out.json'}", f"picture {tmp_path / 'out.png'}"]
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert {row["section"] for row in rows} == {"training step", "inference"}
    assert {"jaxcnn", "jax.grad of the same"} <= {row["by"] for row in rows}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ops", "conv,convolve"], "error: --ops has convolve; expected some of conv,dense,"),
        (["--steps", "lenet"], "error: --steps has lenet; expected some of lenet5,"),
        (["--inference", "x"], "error: --inference has x; expected some of lenet5,"),
        (["--precision", "tensorfloat32"], "error: --precision has tensorfloat32; expected some of float32,bfloat16"),
        (["--peers", "pytorch"], "error: --peers has pytorch; expected some of flax,equinox,keras,torch"),
        (["--repeats", 0], "error: --repeats is 0; expected 1 or more."),
        (["--batch-size", 0], "error: --batch-size is 0; expected 1 or more."),
        (["--json", "no/such/folder.json"], "error: --json is no/such/folder.json, but the folder"),
        (["--ops", "none"], "error: nothing to measure"),
    ],
)
def test_what_makes_no_sense_is_an_error(jaxcnn, arguments, message):
    code, out, err = jaxcnn("bench", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message), err


@pytest.mark.parametrize(
    ("options", "operations", "training", "inference"),
    [
        ({}, 16, ["lenet5", "cifar_small"], ["lenet5", "cifar_small"]),
        ({"ops": "max_pool,relu"}, 3, [], []),
        ({"steps": "all"}, 0, ["lenet5", "cifar_small", "resnet20", "resnet18"], []),
        ({"steps": "lenet5", "inference": "vgg11"}, 0, ["lenet5"], ["vgg11"]),
    ],
)
def test_what_is_measured(options, operations, training, inference):
    made = plan(BenchOptions(**options))
    assert len(made.cases) == operations
    assert [p.name for p in made.training] == training
    assert [p.name for p in made.inference] == inference
