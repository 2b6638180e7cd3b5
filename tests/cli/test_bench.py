"""`jaxcnn bench` as it is typed: tables, what it writes, and its errors."""

import json
import os
from contextlib import nullcontext

import pytest

from jaxcnn.bench.networks import NETWORKS
from jaxcnn.cli.bench import BenchOptions, plan


@pytest.fixture(autouse=True)
def small_peaks(monkeypatch):
    """This machine's peak is of no interest here, and takes seconds."""
    monkeypatch.setattr("jaxcnn.bench.plan.peaks", lambda precisions, size, samples: dict.fromkeys(precisions, 1e9))


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
        (["--minutes", 0], "error: --minutes is 0.0; expected more than 0."),
        (["--minutes", 1, "--against", "main"], "error: --minutes is 1.0, but --against has no limit"),
        (["--batch-size", 0], "error: --batch-size is 0; expected 1 or more."),
        (["--json", "no/such/folder.json"], "error: --json is no/such/folder.json, but the folder"),
        (["--ops", "none"], "error: nothing to measure"),
    ],
)
def test_what_makes_no_sense_is_an_error(jaxcnn, arguments, message):
    code, out, err = jaxcnn("bench", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message), err


def test_jax_takes_no_more_of_a_gpu_than_it_needs_before_it_is_asked_what_there_is(jaxcnn, monkeypatch):
    told = []
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    monkeypatch.setattr("jaxcnn.bench.precision.available", lambda: told.append(dict(os.environ)) or ("float32",))
    jaxcnn("bench", "--ops", "relu", "--peers", "none", "--repeats", 1, "--precision", "no such")
    assert [environment["XLA_PYTHON_CLIENT_PREALLOCATE"] for environment in told] == ["false"]


@pytest.mark.parametrize(
    ("options", "operations", "training", "inference"),
    [
        ({}, 16, ["lenet5", "cifar_small"], ["lenet5", "cifar_small"]),
        ({"ops": "max_pool,relu"}, 3, [], []),
        ({"steps": "all"}, 0, list(NETWORKS), []),
        ({"steps": "lenet5", "inference": "vgg11"}, 0, ["lenet5"], ["vgg11"]),
    ],
)
def test_what_is_measured(options, operations, training, inference):
    made = plan(BenchOptions(**options))
    assert len(made.cases) == operations
    assert [p.name for p in made.training] == training
    assert [p.name for p in made.inference] == inference


def test_what_there_is_no_time_for_is_said_and_no_table_printed_twice(jaxcnn):
    code, out, _ = jaxcnn("bench", "--ops", "relu,gelu", "--peers", "none", "--precision", "float32", "--minutes", 1e-9)
    assert code == 0
    lines = out.splitlines()
    assert lines[-2:] == [f"left out, for want of time: operation: {op}, 64×32×32×64" for op in ("relu", "gelu")]


def test_quick_prints_a_verdict_of_what_is_named(jaxcnn, tmp_path):
    file = tmp_path / "out.json"
    tiny = ["--batch-size", 2, "--image-size", 8, "--repeats", 1, "--peers", "none"]
    code, out, _ = jaxcnn("bench", "--quick", "--steps", "lenet5", *tiny, "--json", file)
    assert code == 0
    lines = out.splitlines()
    assert [line.split("  ")[1] for line in lines if line.startswith("  train")] == ["training step: lenet5, 2×8×8×1"]
    assert lines[-2].startswith(
        "Beside other frameworks: no time, since none took part. Beside XLA's own kernels, of 1"
    )
    written = json.loads(file.read_text())
    assert [(v["task"], v["precision"], v["peer"]) for v in written["verdicts"]] == [
        ("lenet5, 2×8×8×1", "float32", None)
    ]
    assert written["verdicts"][0]["xla"]["by"] in {row["by"] for row in written["rows"]}


def test_quick_has_a_few_of_everything_and_what_is_named_in_their_place():
    made = plan(BenchOptions(quick=True))
    assert (len(made.cases), len(made.training), len(made.inference)) == (5, 3, 2)
    assert (made.precisions, made.peers) == (("float32",), ("flax", "torch"))
    made = plan(BenchOptions(quick=True, ops="relu", peers="all", precision="bfloat16", repeats=3))
    assert ([case.op for case in made.cases], made.training, made.inference) == (["relu"], [], [])
    assert (made.precisions, made.peers, made.repeats) == (("bfloat16",), ("flax", "equinox", "keras", "torch"), 3)


def test_the_loader_alone(jaxcnn, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxcnn.bench.data.SAMPLE", 0.01)
    file = tmp_path / "out.json"
    code, out, _ = jaxcnn("bench", "--data", "digits", "--workers", "0", "--repeats", 1, "--json", file)
    assert code == 0
    lines = out.splitlines()
    assert "training images of digits, 16×16×1, 128 at a time" in lines
    assert any(line.startswith("  in memory") for line in lines)
    written = json.loads(file.read_text())
    assert [speed["way"] for speed in written["loading"]] == ["in memory", "streamed by threads"]
    assert lines[-1] == f"report {file}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "two"], "error: --workers is 'two'; expected numbers of processes, such as 0,2."),
        (["--workers", "-1"], "error: --workers is '-1'; expected"),
        (["--ops", "conv"], "error: --ops is conv, but --data is timed alone"),
        (["--quick"], "error: --quick times networks and operations, and --data neither"),
        (["--against", "HEAD"], "error: --against times networks and operations, and --data neither"),
        (["--batch-size", 2000], "error: --batch-size is 2000, more than the 1437 training images."),
    ],
)
def test_what_makes_no_sense_of_a_loader_is_an_error(jaxcnn, arguments, message):
    code, out, err = jaxcnn("bench", "--data", "digits", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quick"], "error: --quick compares with others, and --against with another jaxcnn; leave one of them out."),
        (["--peers", "flax"], "error: --peers flax compares with others"),
        (["--picture", "p.png"], "error: --picture p.png compares with others"),
        (["--steps", "x"], "error: --steps has x; expected"),
    ],
)
def test_what_makes_no_sense_beside_another_revision_is_an_error(jaxcnn, arguments, message):
    code, out, err = jaxcnn("bench", "--against", "HEAD", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message), err


def test_the_table_beside_another_revision(jaxcnn, tmp_path, monkeypatch):
    """What is timed, without a repository and processes."""
    from jaxcnn.bench.against import checkout, compare

    def compared(trees, tasks, repeats, greeted, tick):
        greeted(["oneDNN 3.2", "XLA's own kernels: why"])
        changes = [compare.Change(task, task.title) for task in tasks]
        changes[0].old, changes[0].new = [[0.01, 0.02, 0.03]] * 2, [[0.01, 0.01, 0.01]] * 2
        changes[1].refused = "another result"
        return changes

    monkeypatch.setattr(checkout, "here", lambda: tmp_path)
    monkeypatch.setattr(checkout, "commit", lambda root, revision: "0123456789")
    monkeypatch.setattr(checkout, "standing", lambda root: "abc, changed")
    monkeypatch.setattr(checkout, "checked_out", lambda root, commit: nullcontext(tmp_path))
    monkeypatch.setattr(checkout, "build", lambda tree, root: None)
    monkeypatch.setattr(compare, "compare", compared)
    file = tmp_path / "out.json"
    code, out, _ = jaxcnn("bench", "--against", "main", "--ops", "relu,gelu", "--json", file)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "main (01234567): oneDNN 3.2" in lines
    assert "working tree (abc, changed): XLA's own kernels: why" in lines
    assert "main ms here ms main / here in rounds here is" in lines
    assert "operation: relu, 64×32×32×64, float32 20 ± 38% 10 ± 0% 2.000 2.000 to 2.000 faster" in lines
    assert "no time for operation: gelu, 64×32×32×64, float32: another result" in lines
    written = json.loads(file.read_text())
    assert [change.get("standing") for change in written["changes"]] == ["faster", None]
