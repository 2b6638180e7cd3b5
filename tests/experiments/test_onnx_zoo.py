"""Networks of the zoo as ONNX files, here two small ones."""

import pytest

pytest.importorskip("onnxruntime")
from experiments import onnx_zoo as experiment


def test_each_network_is_compared_and_printed(capsys):
    found = experiment.main(["lenet5", "squeezenet1_1"], 32)
    assert list(found) == ["lenet5", "squeezenet1_1"]
    for compared in found.values():
        assert 0 < compared.onnx < 1e-5 and compared.folded == 0, "there is no batch norm"
    assert found["squeezenet1_1"].size == pytest.approx(4 * 1_235_496, rel=0.01)
    rows = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert rows == list(found)
