"""What the server tells of itself: its model, its health, its metrics, and its own description."""

import dataclasses
import json
from dataclasses import asdict

import jax
import numpy as np
import pytest
from starlette.testclient import TestClient

from jaxcnn import layers, load_model, models
from jaxcnn.serve import create_app
from jaxcnn.serve.metrics import Counter, Gauge, Histogram, text
from jaxcnn.train.model_folder import write
from tests.serve.conftest import photo, post
from tests.train.test_model import FACTS

PICTURE = photo(1, 8, 8)


def test_the_model_is_what_its_file_says(client, model):
    said = client.get("/model").json()
    assert said["card"] == json.loads(json.dumps(asdict(model.card)))
    rows = {row.path: row for row in layers.summary(model.network, model.image_shape).rows}
    assert [layer["path"] for layer in said["layers"]] == list(rows)
    for layer in said["layers"]:
        row = rows[layer["path"]]
        assert (layer["kind"], tuple(layer["shape"])) == (row.kind, row.shape)
        assert (layer["parameters"], layer["multiply_adds"]) == (row.trainable + row.fixed, row.multiply_adds)


def test_health_says_whether_it_computes(model):
    app = create_app(model)
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True, "waiting": 0})
        app.state.service.engine.stop()
        answer = client.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"live": True, "ready": False, "waiting": 0})


def samples(content):
    """(name, labels) -> value, as Prometheus's own parser reads it."""
    parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(content)
        for sample in family.samples
    }


def test_metrics_are_read_by_prometheus():
    counter, histogram = Counter("a_total", "As."), Histogram("b", "Bs.", (1, 2.5))
    for path in ("/", "/x", "/"):
        counter.add(path=path)
    for value in (0.5, 1, 2, 7):
        histogram.observe(value)
    assert samples(text(counter, histogram, Gauge("c", "Cs.", lambda: 4))) == {
        ("a_total", (("path", "/"),)): 2,
        ("a_total", (("path", "/x"),)): 1,
        ("b_bucket", (("le", "1.0"),)): 2,
        ("b_bucket", (("le", "2.5"),)): 3,
        ("b_bucket", (("le", "+Inf"),)): 4,
        ("b_sum", ()): 10.5,
        ("b_count", ()): 4,
        ("c", ()): 4,
    }


def test_requests_batches_and_times_are_counted(model):
    with TestClient(create_app(model), base_url="http://localhost") as client:
        for _ in range(2):
            post(client, "/predict", PICTURE)
        client.post("/predict", files=[("a", ("a.png", PICTURE))] * 3)
        post(client, "/predict", b"", "text/plain")
        client.get("/nothing/of/any/name")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    assert found["jaxcnn_requests_total", (("path", "/predict"), ("status", "200"))] == 3
    assert found["jaxcnn_requests_total", (("path", "/predict"), ("status", "415"))] == 1
    assert found["jaxcnn_requests_total", (("path", "other"), ("status", "404"))] == 1
    assert found["jaxcnn_request_seconds_count", (("path", "/predict"),)] == 4
    assert (found["jaxcnn_batch_pictures_count", ()], found["jaxcnn_batch_pictures_sum", ()]) == (3, 5)
    assert found["jaxcnn_compute_seconds_count", ()] == 3 and found["jaxcnn_waiting", ()] == 0


def test_openapi_describes_what_is_taken_and_answered(client):
    described = client.get("/openapi.json").json()
    assert {path: list(methods) for path, methods in described["paths"].items()} == {
        "/predict": ["post"],
        "/explain": ["post"],
        "/features": ["post"],
        "/preprocess": ["post"],
        "/model": ["get"],
        "/health": ["get"],
        "/metrics": ["get"],
    }
    predict = described["paths"]["/predict"]["post"]
    content = predict["requestBody"]["content"]
    assert {"image/png", "image/jpeg", "multipart/form-data", "application/json"} <= set(content)
    assert {"200", "400", "408", "413", "415", "422", "429", "504"} <= set(predict["responses"])
    assert "HTTPValidationError" not in described["components"]["schemas"]  # FastAPI's own, which is never answered
    schema = described["components"]["schemas"]["ClassProbability"]["properties"]
    assert set(schema) == {"class", "index", "probability"}
    example = content["application/json"]["example"]
    assert client.post("/predict", json=example).status_code == 200


def test_answers_are_as_they_are_described(client):
    """Of each answer the fields are those of its schema."""
    described = client.get("/openapi.json").json()
    asked = {
        "/predict": post(client, "/predict", PICTURE),
        "/explain": post(client, "/explain", PICTURE),
        "/features": post(client, "/features", PICTURE, layer="conv"),
        "/model": client.get("/model"),
        "/health": client.get("/health"),
    }
    for path, answer in asked.items():
        (operation,) = described["paths"][path].values()
        name = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert set(answer.json()) == set(described["components"]["schemas"][name]["properties"])


def test_classes_of_any_name_are_told_in_utf8(model):
    names = ("$5", "<b>", "naïve", "\udcff", *model.classes[4:])
    odd = dataclasses.replace(model, card=dataclasses.replace(model.card, classes=names))
    with TestClient(create_app(odd), base_url="http://localhost") as client:
        said = post(client, "/predict", PICTURE, top=10).json()["pictures"][0]["predictions"]
        told = [each["class"] for each in sorted(said, key=lambda each: each["index"])]
        assert told == ["$5", "<b>", "naïve", "\\xff", *model.classes[4:]]
        assert post(client, "/explain", PICTURE, **{"class": "\\xff"}).json()["class"] == "\\xff"
        assert client.get("/model").status_code == 200
        assert '<option value="&lt;b&gt;">&lt;b&gt;</option>' in client.get("/").text


def test_the_page_offers_what_the_model_has(client, model):
    html = client.get("/").text
    for name in model.classes:
        assert f'<option value="{name}">{name}</option>' in html
    for layer in ("conv", "head"):
        assert f"<option>{layer}</option>" in html
    assert "it sees 8 × 8 pixels in gray" in html
    assert np.mean(model.card.mean) < 0.5 and 'id="light" checked' in html  # digits are light on dark
    assert client.get("/style.css").headers["content-type"].startswith("text/css")


def test_a_network_without_places_is_asked_for_its_saliency(tmp_path, monkeypatch):
    flat = layers.chain(flatten=layers.Flatten(), head=layers.Dense(2))
    monkeypatch.setitem(models.MODELS, "flat", lambda classes: flat)
    params, state = flat.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4, 6, 1), np.float32))
    facts = FACTS | {"network": "flat", "step": 1, "image_shape": (4, 6, 1), "mean": (0.7,)}
    write(tmp_path / "flat", {"params": params, "state": state}, None, **facts)
    with TestClient(create_app(load_model(tmp_path / "flat")), base_url="http://localhost") as client:
        html = client.get("/").text
        assert '<option value="saliency" selected>' in html and "Grad-CAM" not in html
        assert 'id="light">' in html  # dark on light, as its training set was
        assert post(client, "/explain", PICTURE, method="saliency").status_code == 200
