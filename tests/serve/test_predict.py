"""/predict says what the model says, in whatever form pictures come, alone and among others."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

import jax
import numpy as np
import pytest
from PIL import Image

from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, GlobalAvgPool, chain
from tests.serve.conftest import photo, post, told

# One program computes logits and probabilities, `Model.probabilities` several, and each batch size rounds for itself.
ROUNDING = 1e-6


def probabilities(picture, classes):
    """In the order of the classes, of one picture in an answer."""
    found = {each["index"]: each["probability"] for each in picture["predictions"]}
    return np.array([found[i] for i in range(classes)])


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 13, 32])
def test_it_says_what_the_model_says_at_each_batch_size(client, model, number):
    pictures = [photo(seed, 9 + seed, 14, *[3] * (seed % 2)) for seed in range(number)]
    files = [("picture", (f"{i}.png", content, "image/png")) for i, content in enumerate(pictures)]
    answer = client.post("/predict", files=files, params={"top": 100})
    assert answer.status_code == 200
    said = answer.json()["pictures"]
    expected = np.asarray(model.probabilities([BytesIO(content) for content in pictures]))
    found = np.stack([probabilities(picture, 10) for picture in said])
    np.testing.assert_allclose(found, expected, atol=ROUNDING, rtol=0)
    assert [picture["picture"] for picture in said] == [f"{i}.png" for i in range(number)]


def test_the_most_probable_come_first_with_their_names(client, model):
    content = photo(1, 30, 20)
    said = post(client, "/predict", content, top=3).json()["pictures"][0]["predictions"]
    p = np.asarray(model.probabilities(BytesIO(content)))[0]
    order = p.argsort()[::-1][:3]
    assert [each["class"] for each in said] == [model.classes[i] for i in order]
    assert [each["index"] for each in said] == order.tolist()
    assert len(post(client, "/predict", content).json()["pictures"][0]["predictions"]) == 5


FORMS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "BMP": "image/bmp", "WEBP": "image/webp"}


@pytest.mark.parametrize("form", [*FORMS, "TIFF"])
def test_a_picture_may_be_of_each_kind(client, model, form):
    content = photo(2, 20, 30, 3, form=form)
    kind = FORMS.get(form, "application/octet-stream")
    said = post(client, "/predict", content, kind, top=10).json()["pictures"]
    expected = np.asarray(model.probabilities(BytesIO(content)))[0]
    np.testing.assert_allclose(probabilities(said[0], 10), expected, atol=ROUNDING, rtol=0)
    assert said[0]["picture"] is None


def test_json_says_the_same_as_the_file(client):
    contents = [photo(3, 10, 10), photo(4, 12, 9)]
    texts = [base64.b64encode(content).decode() for content in contents]
    said = client.post("/predict", json={"pictures": texts}).json()
    files = [("any", ("x", content)) for content in contents]
    by_form = client.post("/predict", files=files).json()
    assert [p["predictions"] for p in said["pictures"]] == [p["predictions"] for p in by_form["pictures"]]


def test_names_of_files_come_back_as_they_were(client):
    names = ["Größe 7.png", "<b>7</b>.png", "../../etc/passwd"]
    files = [("picture", (name, photo(5, 8, 8), "image/png")) for name in names]
    assert [p["picture"] for p in client.post("/predict", files=files).json()["pictures"]] == names


def test_what_preprocess_gives_is_taken_as_the_network_sees_it(client, model):
    content = photo(6, 31, 17, 3)
    seen = post(client, "/preprocess", content)
    assert seen.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(seen.content))), model.pixels(BytesIO(content))[..., 0])
    again = post(client, "/predict", seen.content, preprocessed=True).json()
    assert again == post(client, "/predict", content).json()
    assert "has 31 × 17 pixels (height × width); expected 8 × 8" in told(
        post(client, "/predict", content, preprocessed=True), 400
    )


def test_a_covered_part_has_the_mean_colour(client, model):
    content = photo(7, 8, 8)
    pixels = model.pixels(BytesIO(content)).copy()
    pixels[2:5, 1:8] = round(255 * model.card.mean[0])
    said = post(client, "/predict", content, cover="2,1,3,90", top=10).json()["pictures"][0]
    expected = np.asarray(model.probabilities([pixels]))[0]
    np.testing.assert_allclose(probabilities(said, 10), expected, atol=ROUNDING, rtol=0)
    assert "cover is '1,2,3'" in told(post(client, "/predict", content, cover="1,2,3"), 422)


def test_requests_never_get_each_others_answers(client, model):
    pictures = [photo(seed, 8, 8) for seed in range(40)]
    expected = [np.asarray(model.probabilities(BytesIO(content)))[0] for content in pictures]
    assert min(abs(a - b).max() for i, a in enumerate(expected) for b in expected[:i]) > 100 * ROUNDING
    ready = threading.Barrier(8)

    def ask(worker):
        ready.wait()
        for i in range(worker, len(pictures), 8):
            said = post(client, "/predict", pictures[i], top=10).json()["pictures"][0]
            np.testing.assert_allclose(probabilities(said, 10), expected[i], atol=ROUNDING, rtol=0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_what_waits_is_computed_together_in_order(model):
    from jaxcnn.serve.engine import Engine

    engine, gate = Engine(model), threading.Event()
    engine.compile()
    engine.start()
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    busy = engine.run(gate.wait)
    asked = [engine.probabilities(images[i : i + 1]) for i in range(40)]
    asked.append(engine.probabilities(images[40:50]))
    assert engine.waiting() >= 50
    gate.set()
    found = np.concatenate([each.result() for each in asked])
    np.testing.assert_allclose(found, np.asarray(model.probabilities(images)), atol=ROUNDING, rtol=0)
    assert busy.result() is True
    lines = list(engine.batches.lines())
    assert "jaxcnn_batch_pictures_count 2.0" in lines  # 32, and the other 18
    assert "jaxcnn_batch_pictures_sum 50.0" in lines
    engine.stop()


def test_running_statistics_are_those_of_the_model(model):
    """They are folded into the kernels, where they can be."""
    from jaxcnn.serve.engine import Engine

    network = chain(Conv(8, 3), BatchNorm(), Activation("relu"), GlobalAvgPool(), Dense(10))
    params, _ = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *model.image_shape), np.float32))
    rng = np.random.default_rng(0)
    state = {"BatchNorm_0": {"mean": rng.normal(size=8).astype("f"), "var": rng.uniform(0.1, 9, 8).astype("f")}}
    normed = replace(model, network=network, params=params, state=state)
    engine = Engine(normed)
    engine.compile()
    engine.start()
    images = rng.integers(0, 256, (5, 8, 8, 1), np.uint8)
    found = engine.probabilities(images).result()
    np.testing.assert_allclose(found, np.asarray(normed.probabilities(images)), atol=ROUNDING, rtol=0)
    assert abs(found - np.asarray(replace(normed, state=_doubled(state)).probabilities(images))).max() > 100 * ROUNDING
    engine.stop()


def _doubled(state):
    return jax.tree.map(lambda a: 2 * a, state)


def test_an_error_is_its_own_requests_and_the_thread_goes_on(model):
    from jaxcnn.serve.engine import Engine

    engine = Engine(model)
    engine.compile()
    engine.start()
    failed = engine.run(lambda: 1 / 0)
    image = np.zeros((1, 8, 8, 1), np.uint8)
    after = engine.probabilities(image)
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert after.result().shape == (1, 10) and engine.ready
    engine.stop()
    assert not engine.ready
    with pytest.raises(RuntimeError, match="stopped"):
        engine.probabilities(image)


def test_what_nobody_waits_for_any_more_is_not_computed(model):
    from jaxcnn.serve.engine import Engine

    engine, gate, ran = Engine(model), threading.Event(), []
    engine.compile()
    engine.start()
    engine.run(gate.wait)
    given_up = engine.run(lambda: ran.append("given up"))
    wanted = engine.run(lambda: ran.append("wanted"))
    assert given_up.cancel()
    gate.set()
    wanted.result()
    engine.stop()
    assert ran == ["wanted"]
