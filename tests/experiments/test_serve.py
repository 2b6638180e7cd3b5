"""The experiments with the server, for a few requests."""

import re
from itertools import islice

import jax
import jax.numpy as jnp
import pytest

from experiments import serve_load, serve_malformed
from jaxcnn import models
from jaxcnn.train.model_folder import write
from tests.train.test_model import FACTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that every process knows, untrained."""
    for needed in ("fastapi", "fastapi_offline", "uvicorn", "python_multipart"):
        pytest.importorskip(needed, reason="needs jaxcnn[serve]")
    network = models.create("lenet5", classes=2)
    shape = (16, 16, 1)
    params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    path = tmp_path_factory.mktemp("models") / "lenet5"
    facts = FACTS | {"network": "lenet5", "step": 1, "image_shape": shape}
    write(path, {"params": params, "state": state}, None, **facts)
    return path


def test_load_is_a_table_with_a_row_for_each_number_of_clients(folder, tmp_path, capfd):
    serve_load.main(serve_load.Config(folder, clients="1,4", requests=20), tmp_path)
    out = capfd.readouterr().out
    rows = [[float(cell.replace(",", "")) for cell in re.findall(r"[\d,.]+", line)] for line in out.splitlines()[-2:]]
    for row, clients in zip(rows, (1, 4), strict=True):
        asked, rate, p50, p99, together, alone, call = row
        assert asked == clients and 1 <= together <= clients
        assert 0 < rate < alone and 0 < p50 <= p99
        assert alone == pytest.approx(1e3 * clients / call, rel=0.2)


def test_malformed_requests_are_counted_and_none_is_answered_wrongly(folder, capfd):
    assert serve_malformed.main(serve_malformed.Config(folder, number=30)) == 0
    out = capfd.readouterr().out
    assert sum(map(int, re.findall(r"× (\d+)", out))) == 30
    assert "exit code 0 after SIGTERM" in out and out.endswith("no answer was wrong\n")
    assert len(re.findall(r"^after \d+.*RSS \d+ MB", out, re.MULTILINE)) == 4


def test_what_would_be_wrong_is_seen():
    assert serve_malformed.wrong(200, b"") is None and serve_malformed.wrong(None, b"") is None
    assert serve_malformed.wrong(404, b'{"error": {"status": 404, "message": ""}}') is None
    for status, body in (
        (500, b'{"error": {"status": 500}}'),
        (404, b"Not Found"),
        (400, b'{"error": {"status": 404}}'),
    ):
        assert serve_malformed.wrong(status, body)


def test_a_seed_gives_the_same_requests():
    one, same, other = (list(islice(serve_malformed.cases(seed), 60)) for seed in (1, 1, 2))
    assert one == same != other
    assert len({case.kind for case in one}) == 12
