"""A served model: in this process, where a test asks it directly, and as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxcnn import load_model

for needed in ("fastapi", "fastapi_offline", "uvicorn", "python_multipart", "httpx"):
    pytest.importorskip(needed, reason="needs jaxcnn[pages-tests]")

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def model(trained):
    return load_model(trained.run.path)


@pytest.fixture(scope="session")
def client(model):
    """Asks an application that is kept for all tests, as a browser of this machine does."""
    from starlette.testclient import TestClient

    from jaxcnn.serve import create_app

    with TestClient(create_app(model), base_url="http://127.0.0.1") as client:
        yield client


def photo(seed, *shape, form="PNG", **options):
    """The file of a picture of noise, (h, w) or (h, w, c)."""
    file = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def post(client, path, content, kind="image/png", **parameters):
    return client.post(path, content=content, headers={"Content-Type": kind}, params=parameters)


def told(answer, status):
    """The message of an answer that refuses, in the form that all have."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"
    assert error.keys() == {"status", "message"} and error["status"] == status
    assert "Traceback" not in answer.text
    return error["message"]


class Process:
    """`jaxcnn serve` as people start it."""

    def __init__(self, *command):
        command = [sys.executable, "-m", *map(str, command)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)
        word, _, self.address = self.process.stdout.readline().strip().partition(" ")
        assert word == "address", self.process.stderr.read()
        self.host, _, port = self.address.removeprefix("http://").partition(":")
        self.port = int(port)

    def connect(self):
        """A connection on which a test writes bytes of its own."""
        return socket.create_connection((self.host, self.port), timeout=60)

    def end(self, number=signal.SIGTERM):
        """(exit code, stderr) after a signal."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def running(*command):
    """A server, until the end of the fixture that this is."""
    server = Process(*command)
    yield server
    if server.process.poll() is None:
        server.process.kill()
    server.process.communicate()


@pytest.fixture
def started(trained):
    """Start a server, which is ended with the test at the latest."""
    with ExitStack() as stack:
        serving = contextmanager(running)
        yield lambda *options: stack.enter_context(
            serving("tests.train.tiny", "serve", trained.run.path, "--port", 0, *options)
        )


def head(path, length, kind="image/png", method="POST", host="127.0.0.1"):
    """The head of a request, as bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {kind}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def received(connection):
    """(status, body as JSON) of an answer, read until the server closes."""
    with connection.makefile("rb") as file:
        content = file.read()
    top, _, body = content.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)
