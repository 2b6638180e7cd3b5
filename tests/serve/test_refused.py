"""What is wrong with a request is told, with the status that HTTP has for it; and nothing is decoded too early."""

import base64
import struct
import threading
import zlib

import pytest
from starlette.testclient import TestClient

from jaxcnn.serve import Limits, create_app
from tests.serve.conftest import photo, post, told

PICTURE = photo(1, 12, 12)


@pytest.fixture(scope="module")
def narrow(model):
    """Of small limits."""
    limits = Limits(body_bytes=20_000, pixels=1_000, pictures=2)
    with TestClient(create_app(model, limits=limits), base_url="http://localhost") as client:
        yield client


def bomb(width, height):
    """A PNG whose head says so many pixels, and which has none."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "kind", "status", "message"),
    [
        (b"", "image/png", 400, "there is no picture in the request; expected a picture as the body"),
        (b"hello", "image/png", 400, "the picture can't be read: not a picture"),
        (PICTURE[:60], "image/png", 400, "the picture can't be read: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/x-eps", 400, "the picture can't be read"),
        (PICTURE, "text/plain", 415, "the Content-Type is 'text/plain'; expected a picture as the body"),
        (PICTURE, "", 415, "the Content-Type is missing; expected"),
        (PICTURE, "video/mp4", 415, "the Content-Type is 'video/mp4'"),
        (bomb(32, 32), "image/png", 413, "the picture has 32 × 32 pixels; expected at most 1,000 in all."),
        (bomb(60_000, 60_000), "image/png", 413, "the picture has too many pixels: "),
        (
            b"x" * 20_001,
            "image/png",
            413,
            "the body has 20,001 bytes; expected at most 20,000. Send a smaller picture.",
        ),
        (b"{", "application/json", 400, "the body is not as it should be: Invalid JSON"),
        (b"[" * 10_000, "application/json", 400, "the body is not as it should be: Invalid JSON"),
        (
            b'{"picture": "a"}',
            "application/json",
            400,
            'pictures: Field required; expected {"pictures": ["BASE64", ...]}.',
        ),
        (b'{"pictures": []}', "application/json", 400, "pictures: List should have at least 1 item"),
        (b'{"pictures": [3]}', "application/json", 400, "pictures.0: Input should be a valid string"),
        (b'{"pictures": ["!"]}', "application/json", 400, "pictures[0] is no base64"),
        (b'{"pictures": ["aGk="]}', "application/json", 400, "the picture can't be read: not a picture"),
        (b'{"pictures": ["", "", ""]}', "application/json", 413, "the request has 3 pictures; expected at most 2."),
        (b"", "multipart/form-data; boundary=x", 400, "there is no picture in the request"),
        (b"--x--", "multipart/form-data", 400, "the body is no multipart/form-data: "),
        (b"nonsense", "multipart/form-data; boundary=x", 400, "the body is no multipart/form-data: "),
        (b"--x\r\nno head\r\n\r\n", "multipart/form-data; boundary=x", 400, "the body is no multipart/form-data: "),
    ],
)
def test_a_bad_body_is_told(narrow, content, kind, status, message):
    assert message in told(post(narrow, "/predict", content, kind), status)


def test_the_file_that_is_bad_is_named(narrow):
    files = [("a", ("good.png", PICTURE)), ("a", ("bad.png", b"no picture"))]
    assert told(narrow.post("/predict", files=files), 400).startswith("'bad.png' can't be read: not a picture")


def test_a_body_that_says_no_length_is_measured(narrow):
    chunks = (b"x" * 1000 for _ in range(30))
    answer = narrow.post("/predict", content=chunks, headers={"Content-Type": "image/png"})
    assert "the body has more than 20,000 bytes" in told(answer, 413)


def test_no_picture_is_written_to_disk(narrow, model, monkeypatch):
    def refuse(*given, **options):
        raise AssertionError("a file was to be written")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    limits = Limits(body_bytes=10_000_000)
    large = photo(2, 900, 900, 3)  # 2.4 MB; forms are often put into files from 1 MB on
    with TestClient(create_app(model, limits=limits), base_url="http://localhost") as client:
        assert client.post("/predict", files={"picture": ("large.png", large)}).status_code == 200
        text = base64.b64encode(large).decode()
        assert client.post("/predict", json={"pictures": [text]}).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static"])
def test_there_is_nothing_else(client, path):
    assert "Not Found" in told(client.get(path), 404)


def test_other_methods_are_told(client):
    assert "DELETE '/predict': Method Not Allowed" in told(client.delete("/predict"), 405)
    assert told(client.get("/explain"), 405)


class Held:
    """An engine that computes when it is told to."""

    def __init__(self, engine):
        self.gate, self.taken = threading.Event(), threading.Event()
        engine.run(self._wait)

    def _wait(self):
        self.taken.set()
        self.gate.wait()


def test_more_requests_than_there_may_be_are_asked_to_come_again(model):
    app = create_app(model, limits=Limits(requests=2))
    with TestClient(app, base_url="http://localhost") as client:
        held, answers = Held(app.state.service.engine), []
        threads = [threading.Thread(target=lambda: answers.append(post(client, "/predict", PICTURE))) for _ in range(2)]
        for thread in threads:
            thread.start()
        while app.state.service.engine.waiting() < 2:
            held.taken.wait(0.01)
        refused = post(client, "/predict", PICTURE)
        assert told(refused, 429) == "2 requests are at work already; try again later."
        assert refused.headers["retry-after"] == "1"
        assert client.get("/health").json() == {"live": True, "ready": True, "waiting": 2}
        held.gate.set()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [200, 200]
        assert post(client, "/predict", PICTURE).status_code == 200


def test_a_request_that_takes_too_long_is_told_and_its_work_is_dropped(model):
    app = create_app(model, limits=Limits(seconds=0.3))
    with TestClient(app, base_url="http://localhost") as client:
        held = Held(app.state.service.engine)
        assert "was not there after 0.3 seconds" in told(post(client, "/predict", PICTURE), 504)
        held.gate.set()
        assert "jaxcnn_batch_pictures_count" not in client.get("/metrics").text


def test_what_nobody_foresaw_is_an_answer_without_its_reason(model, monkeypatch, caplog):
    app = create_app(model)
    with TestClient(app, base_url="http://localhost") as client:
        monkeypatch.setattr(app.state.service.engine, "probabilities", lambda images: 1 / 0)
        assert told(post(client, "/predict", PICTURE), 500) == "the server failed; its own output says why."
        assert "ZeroDivisionError" in caplog.text
        monkeypatch.undo()
        assert post(client, "/predict", PICTURE).status_code == 200


def test_probabilities_that_are_not_finite_are_none(model, monkeypatch):
    import dataclasses

    import jax

    broken = dataclasses.replace(model, params=jax.tree.map(lambda w: w * float("nan"), model.params))
    with TestClient(create_app(broken), base_url="http://localhost") as client:
        assert "is not finite" in told(post(client, "/predict", PICTURE), 500)


@pytest.mark.parametrize("name", ["requests", "seconds", "pixels"])
def test_limits_are_above_0(name):
    with pytest.raises(ValueError, match=f"{name} is 0; expected a number above 0"):
        Limits(**{name: 0})


def test_a_request_has_no_more_pictures_than_a_batch():
    with pytest.raises(ValueError, match="pictures is 33; expected at most 32"):
        Limits(pictures=33)
