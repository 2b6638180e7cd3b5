"""`jaxcnn serve`: what it says before it serves. What it serves is in tests/serve."""

import shutil
import socket
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="needs jaxcnn[serve]")


@pytest.fixture
def served(monkeypatch):
    """What would have been served: the server is ready, and ends."""
    import jaxcnn.serve

    seen = []

    def serve(app, listening, limits, ready):
        seen.append(SimpleNamespace(app=app, limits=limits, port=listening.getsockname()[1]))
        ready()

    monkeypatch.setattr(jaxcnn.serve, "serve", serve)
    return seen


def test_it_prints_the_address_and_serves_the_model(jaxcnn, trained, served):
    code, out, err = jaxcnn("serve", trained.run.path, "--port", "0")
    (server,) = served
    assert (code, out) == (0, f"address http://127.0.0.1:{server.port}\n")
    assert err == "compiling tiny, for batches of up to 32 pictures\n"
    assert server.app.state.service.model.card.checkpoint == "last"


def test_a_model_folder_and_another_checkpoint_are_served(jaxcnn, trained, served):
    jaxcnn("serve", trained.run.path / "model" / "best", "--port", "0")
    jaxcnn("serve", trained.run.path, "--port", "0", "--checkpoint", "best")
    assert [server.app.state.service.model.card.checkpoint for server in served] == ["best", "best"]


def test_options_are_limits(jaxcnn, trained, served):
    words = "--port 0 --requests 3 --seconds 7 --max-megabytes 0.5 --max-megapixels 2"
    jaxcnn("serve", trained.run.path, *words.split())
    limits = served[0].limits
    assert (limits.requests, limits.seconds, limits.body_bytes, limits.pixels) == (3, 7, 2**19, 2_000_000)


def test_other_hosts_can_be_allowed(jaxcnn, trained, served):
    from starlette.testclient import TestClient

    jaxcnn("serve", trained.run.path, "--port", "0", "--allow-host", "proxy.example", "box")
    for host, status in (("box", 200), ("proxy.example:80", 200), ("other.example", 421)):
        assert TestClient(served[0].app, base_url=f"http://{host}").get("/model").status_code == status


def test_a_host_that_others_reach_is_warned_of(jaxcnn, trained, served):
    code, out, err = jaxcnn("serve", trained.run.path, "--port", "0", "--host", "0.0.0.0")
    assert code == 0 and out.startswith("address http://0.0.0.0:")
    assert err.startswith("warning: --host 0.0.0.0: whoever reaches this machine can ask; there is no password.\n")


def test_an_address_of_ipv6_stands_in_brackets(jaxcnn, trained, served):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("needs IPv6")
    code, out, err = jaxcnn("serve", trained.run.path, "--port", "0", "--host", "::1")
    assert (code, out) == (0, f"address http://[::1]:{served[0].port}\n") and "warning" not in err


def test_a_port_in_use_is_told_in_one_line(jaxcnn, trained, served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = jaxcnn("serve", trained.run.path, "--port", port)
    assert (code, out) == (2, "") and not served
    assert err == f"error: --port is {port}, which is in use on 127.0.0.1; take another, or 0 for any that is free.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "--port is 70000; expected 0 to 65535."),
        (["--port", "-1"], "--port is -1; expected 0 to 65535."),
        (["--host", "no.such.host.invalid"], "--host is no.such.host.invalid, which is no name or address"),
        (["--host", "192.0.2.1"], "--host is 192.0.2.1, port 0: "),
        (["--requests", "0"], "--requests is 0; expected a number above 0."),
        (["--seconds", "-1"], "--seconds is -1.0; expected a number above 0."),
        (["--max-megapixels", "0"], "--max-megapixels is 0.0; expected a number above 0."),
        (["--max-megabytes", "nan"], "--max-megabytes is nan; expected a number above 0."),
    ],
)
def test_what_can_not_be_is_told(jaxcnn, trained, served, words, message):
    options = words if "--port" in words else ["--port", "0", *words]
    code, out, err = jaxcnn("serve", trained.run.path, *options)
    assert (code, out) == (2, "") and not served
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


def test_a_missing_or_damaged_model_is_told(jaxcnn, trained, served, tmp_path):
    code, _, err = jaxcnn("serve", tmp_path / "nothing", "--port", "0")
    assert code == 2 and err.startswith(f"error: {tmp_path / 'nothing'} is not a run folder")
    run = shutil.copytree(trained.run.path, tmp_path / "run")
    weights = run / "model" / "last" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, _, err = jaxcnn("serve", run, "--port", "0")
    assert code == 2 and err.startswith(f"error: {weights} is damaged") and err.count("\n") == 1
    assert not served


def test_without_its_packages_it_says_how_to_get_them(jaxcnn, trained, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("jaxcnn.serve")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, out, err = jaxcnn("serve", trained.run.path)
    assert (code, out) == (2, "")
    assert err == 'error: jaxcnn serve needs FastAPI and uvicorn: pip install "jaxcnn[serve]".\n'
