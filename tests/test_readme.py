"""The README's Python examples run as they stand."""

import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import jaxcnn
from jaxcnn.cli import export
from jaxcnn.cli.export import ExportOptions
from jaxcnn.ops.rule import RULES

README = (Path(__file__).parent.parent / "README.md").read_text()
FUNCTIONS, LAYERS, VERIFY, FIXTURE, MODEL, TRAINING, ELSEWHERE, RULE = re.findall(
    r"```python\n(.*?)```", README, re.DOTALL
)


def test_functional_example_learns_and_agrees_with_autodiff(capsys):
    exec(FUNCTIONS, names := {})
    assert names["value"] < 0.5
    differences = eval(capsys.readouterr().out.splitlines()[-1])
    assert set(differences) == {"kernel", "weights", "bias"}
    assert max(differences.values()) < 1e-5


def test_layer_example_prints_summary_and_deltas(capsys):
    exec(LAYERS, {})
    out = capsys.readouterr().out
    assert "block/body/conv" in out and "loss 3." in out
    assert len(re.findall(r"\|δ\| = \d", out)) == 8


def test_verify_example_finds_the_mistake(capsys):
    exec(VERIFY, names := {})
    assert {failure.argument for failure in names["report"].failures} == {"scale"}
    assert "FAILS" in capsys.readouterr().out


def test_fixture_example_fails_as_it_says(assert_backward):
    exec(FIXTURE, names := {})
    with pytest.raises(AssertionError) as failed:
        names["test_my_backward"](assert_backward)
    shown = re.search(r"```text\n(\[autodiff.*?)```", README, re.DOTALL).group(1)
    assert all(line.strip() in str(failed.value) for line in shown.splitlines())


def test_model_example_uses_a_run(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.run.path, "runs/digits-lenet5")
    dataset = trained.experiment.dataset
    for name, index in (("three", 3), ("eight", 8)):
        Image.fromarray(dataset.test_images[index, ..., 0]).save(f"{name}.png")
    exec(MODEL, names := {})
    expected = trained.evaluation.probabilities[[3, 8]]
    said = [f"{dataset.classes[p.argmax()]} ({p.max():.0%})" for p in expected]
    assert capsys.readouterr().out.splitlines() == said
    np.testing.assert_allclose(jax.nn.softmax(names["logits"]), expected[:1], rtol=1e-5)


def test_onnx_example_says_what_the_network_says(trained, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    model = jaxcnn.load_model(trained.run.path)
    options = ExportOptions(trained.run.path, "onnx", out=tmp_path / "digits-lenet5.onnx")
    assert export.run(options) == 0
    Image.fromarray(trained.experiment.dataset.test_images[3, ..., 0]).resize((20, 12)).save("three.png")
    capsys.readouterr()
    exec(ELSEWHERE, names := {})
    expected = model.logits(model.preprocess("three.png"))
    np.testing.assert_allclose(names["logits"], expected, rtol=1e-4, atol=1e-5)
    assert capsys.readouterr().out == f"{model.classes[expected.argmax()]}\n"


def test_rule_example_is_a_rule(x64):
    try:
        exec(RULE, names := {})
        assert jax.grad(names["square"])(3.0) == 6.0
        np.testing.assert_array_equal(names["square"](np.arange(3.0)), [0, 1, 4])
    finally:
        RULES.pop("square", None)


def test_training_example_learns_by_fit_and_by_a_loop_of_ones_own(capsys):
    exec(TRAINING, names := {})
    accuracy, first, last = capsys.readouterr().out.splitlines()
    assert float(accuracy) == names["fitted"].evaluation.accuracy > 0.7
    assert float(last.split()[1].rstrip(",")) < float(first.split()[1].rstrip(",")) < 2.5


@pytest.mark.parametrize("example", [FUNCTIONS, LAYERS], ids=["functions", "layers"])
def test_examples_are_short(example):
    assert len([line for line in example.splitlines() if line.strip()]) <= 26


def test_the_table_of_operations_is_complete():
    table = README.split("| family | operations |")[1].split("\n\n")[0]
    named = set(re.findall(r"`([a-z0-9_]+)`", table))
    no_rules = {"max_pool_with_indices", "adaptive_max_pool_with_indices"}  # a rule each and a look at where
    assert named - no_rules == set(RULES)
