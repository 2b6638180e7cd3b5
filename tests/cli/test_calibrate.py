"""`jaxcnn eval --calibrate`, and who uses the temperature from then on."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from jaxcnn import data, load_model
from jaxcnn.train.calibrate import probabilities
from jaxcnn.train.loop import train
from tests.train.tiny import config


def test_eval_calibrates_and_what_is_used_then_is_calibrated(jaxcnn, tmp_path):
    run = tmp_path / "run"
    train(config(run, split="0.6/0.2/0.2", schedule="constant"))
    before = load_model(run, "last")
    code, out, err = jaxcnn("eval", run, "--calibrate")
    said = re.search(r"temperature ([\d.]+) by \d+ validation images; on \d+ test images: negative log-l.*", out)
    assert (code, err) == (0, "") and out.endswith(
        f"written to {run}/model/last/model.json, which predict, export and load_model take by default\n"
    )
    model = load_model(run, "last")
    assert model.card.temperature == pytest.approx(float(said[1]), abs=5e-5) != 1
    assert (run / "model/last").is_dir() and len(list((run / "model/last").iterdir())) == 2
    errors = [float(word) for word in re.findall(r"error ([\d.]+) before and ([\d.]+) after", said[0])[0]]
    assert f"expected calibration error {errors[1]:.4f}, " in out and f"at temperature {said[1]}" in out
    assert f"expected calibration error {errors[1]:.4f}, " in jaxcnn("eval", run)[1]
    again = jaxcnn("eval", run, "--calibrate")[1]
    assert f"temperature {said[1]} by" in again  # by the logits themselves, however they were calibrated before
    assert load_model(run, "best").card.temperature == 1

    images = data.load("digits", image_size=8).test_images[:3]
    z = np.asarray(before.logits(before.preprocess(images)), np.float64) / model.card.temperature
    expected = probabilities(z, "softmax")
    np.testing.assert_allclose(load_model(run).probabilities(images), expected, rtol=1e-4)
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{i}.png")
    lines = jaxcnn("predict", run, *(tmp_path / f"{i}.png" for i in range(3)), "--json", "--top", 1)[1].splitlines()
    top = [json.loads(line)["predictions"][0]["probability"] for line in lines]
    np.testing.assert_allclose(top, expected.max(-1), rtol=1e-4)
    assert jaxcnn("export", run, "--to", "safetensors", "--out", tmp_path / "net.safetensors")[0] == 0
    with safe_open(tmp_path / "net.safetensors", "np") as file:
        assert json.loads(file.metadata()["temperature"]) == model.card.temperature

    out = jaxcnn("eval", run, "--calibrate", "--checkpoint", "best")[1]
    assert out.endswith("/model/best/model.json, which predict and export take with --checkpoint best\n")
    assert load_model(run, "best").card.temperature != 1

    train(config(run, split="0.6/0.2/0.2", epochs=3, schedule="constant", resume=True))
    assert load_model(run, "last").card.temperature == 1  # of other weights
