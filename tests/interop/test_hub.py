"""Weights by name: a hub of our own on this machine, its cache, and what is said where something is missing."""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import numpy as np
import pytest
import safetensors.numpy

import jaxcnn
from jaxcnn.interop import hub, repository
from jaxcnn.interop.load import save
from tests.interop.test_load import random, table_of

NAME, COMMIT = "mobilenet_v3_small", "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architecture": NAME,
    "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1], "crop_pct": 0.9, "interpolation": "bicubic"},
}


@pytest.fixture(scope="module")
def weights():
    arrays = save(*random(NAME), table_of("torchvision", NAME))
    return safetensors.numpy.save({key: np.ascontiguousarray(a) for key, a in arrays.items()})


class Hub(BaseHTTPRequestHandler):
    """What huggingface.co answers for files of a repository: `files` by their paths below owner/name."""

    files: ClassVar = {}

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        owner, name, _, revision, *path = self.path.strip("/").split("/")
        content = self.files.get((f"{owner}/{name}", "/".join(path)))
        missing = {
            "RepoNotFound": f"{owner}/{name}" not in {key for key, _ in self.files},
            "RevisionNotFound": revision not in ("main", COMMIT),
            "EntryNotFound": content is None,
        }
        code = next((code for code, yes in missing.items() if yes), None)
        self.send_response(404 if code else 200)
        if code:
            self.send_header("X-Error-Code", code)
        else:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(0 if code else len(content)))
        self.end_headers()
        if self.command == "GET" and not code:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def constants(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return constants


@pytest.fixture
def online(constants, monkeypatch, weights):
    """The hub, with timm's repository of the network."""
    monkeypatch.setattr(Hub, "files", {
        ("timm/small", "model.safetensors"): weights,
        ("timm/small", "config.json"): json.dumps(CONFIG).encode(),
        ("timm/other", "config.json"): json.dumps(CONFIG | {"architecture": "resnet50"}).encode(),
        ("timm/other", "pytorch_model.bin"): b"never read",
    })  # fmt: skip
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield
        server.shutdown()
        thread.join()


def test_weights_come_by_name_with_what_the_repository_says(online, weights, constants, monkeypatch):
    found = jaxcnn.load_pretrained(NAME, "timm/small")
    assert found.source == ("timm/small", COMMIT, hashlib.sha256(weights).hexdigest())
    assert found.mean == (0.5, 0.4, 0.3) and found.std == (0.2, 0.2, 0.1) and found.library == "torchvision"
    assert found.crop == 0.9 and found.resample == "bicubic" and found.image_shape == (224, 224, 3)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # they are in the cache now
    assert jaxcnn.load_pretrained(NAME, f"timm/small@{COMMIT}").source == found.source
    assert jaxcnn.load_pretrained(NAME, "timm/small").source == found.source
    with pytest.raises(
        ValueError, match=r"timm/other is neither a file nor in the hub's cache, and the hub can't be r"
    ):
        jaxcnn.load_pretrained(NAME, "timm/other")


def test_what_is_wrong_on_the_hub_is_named(online):
    with pytest.raises(ValueError, match=r"there is no file timm/none, and no such name on the hub, or it is private"):
        jaxcnn.load_pretrained(NAME, "timm/none")
    with pytest.raises(ValueError, match=r"timm/small on the hub has no revision v9\."):
        jaxcnn.load_pretrained(NAME, "timm/small@v9")
    with pytest.raises(ValueError, match=r"timm/other holds the weights of resnet50, not of mobilenet_v3_small\."):
        jaxcnn.load_pretrained(NAME, "timm/other")
    Hub.files = {("timm/empty", "README.md"): b""}
    with pytest.raises(
        ValueError, match=r"timm/empty on the hub holds no model\.safetensors and no pytorch_model\.bin"
    ):
        jaxcnn.load_pretrained(NAME, "timm/empty")


def test_a_hub_that_does_not_answer_is_asked_once(constants, monkeypatch, capfd):
    """And not again and again, with a wait and a warning each time."""
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(
        ValueError, match=r"the hub can't be reached\. Where there is a network: hf download timm/small; "
    ):
        jaxcnn.load_pretrained(NAME, "timm/small")
    assert not waited and capfd.readouterr().err == ""


def test_a_file_of_another_hash_than_the_hubs_is_damaged(constants, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "cache" / "models--timm--small"
    for folder in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (place / folder).mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "blobs" / hashlib.sha256(b"what it was").hexdigest()).write_bytes(b"what it is")
    link = place / "snapshots" / COMMIT / "model.safetensors"
    link.symlink_to(place / "blobs" / hashlib.sha256(b"what it was").hexdigest())
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged: its hash is not [0-9a-f]{64}, which the hub"):
        hub.fetch("timm/small")


def test_without_the_package_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r'there is no file timm/small; to fetch it .*: pip install "jaxcnn\[hub\]"\.'):
        jaxcnn.load_pretrained(NAME, "timm/small")


def test_what_is_a_name(tmp_path, monkeypatch):
    assert hub.is_name("timm/resnet50.a1_in1k") and hub.is_name("google/mobilenet_v2_1.0_224@refs/pr/3")
    assert not any(map(hub.is_name, ("resnet50", "/tmp/net", "a/b/c", "a/b@", "~/net", "a b/c")))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "net").write_bytes(b"")
    assert not hub.is_name("timm/net")
    with pytest.raises(FileNotFoundError, match=r"there is no file weights/net\.pth"):
        jaxcnn.load_pretrained(NAME, "weights/net.pth")


TRANSFORMERS = [
    ({"model_type": "resnet", "layer_type": "basic", "depths": [2, 2, 2, 2]}, "resnet18"),
    ({"model_type": "resnet", "layer_type": "bottleneck", "depths": [3, 4, 23, 3]}, "resnet101"),
    ({"model_type": "convnext", "depths": [3, 3, 27, 3], "hidden_sizes": [96, 192, 384, 768]}, "convnext_small"),
    ({"model_type": "convnext", "depths": [3, 3, 27, 3], "hidden_sizes": [128, 256, 512, 1024]}, None),
    ({"model_type": "efficientnet", "width_coefficient": 1.1, "depth_coefficient": 1.2}, "tf_efficientnet_b2"),
    ({"model_type": "mobilenet_v2", "tf_padding": True, "depth_multiplier": 1.0}, "tf_mobilenet_v2"),
    ({"model_type": "mobilenet_v2", "tf_padding": True, "depth_multiplier": 1.4}, None),
    ({"architecture": "mobilenetv2_100"}, "mobilenet_v2"),
    ({"architecture": "vit_base_patch16_224"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("config", "name"), TRANSFORMERS)
def test_which_network_a_repository_holds(config, name):
    assert repository.network(config) == name


def test_what_transformers_say_of_images():
    said = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_center_crop": True, "resample": 3}
    said |= {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}
    expected = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "crop": 0.875, "resample": "bicubic"}
    assert repository.images({}, said) == expected
    assert repository.images({}, {"size": 224, "crop_pct": 0.95, "resample": 0}) == {"crop": 0.95}
    twice = {"image_mean": [0.4], "image_std": [0.229**0.5], "include_top": True}
    assert repository.images({}, twice)["std"] == pytest.approx((0.229,))
    assert repository.images({"pretrained_cfg": {"input_size": [3, 240, 320]}}, {}) == {"image_shape": (240, 320, 3)}
