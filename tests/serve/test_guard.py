"""Who may ask: this machine under its own names, and the server's own page."""

import pytest

from jaxcnn.serve.guard import hosts, is_loopback
from tests.serve.conftest import photo, told

PICTURE = photo(1, 8, 8)


def ask(client, **headers):
    return client.post("/predict", content=PICTURE, headers={"Content-Type": "image/png"} | headers)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]:8000"])
def test_names_of_this_machine_are_answered(client, host):
    assert ask(client, Host=host).status_code == 200
    assert ask(client, Host=host, Origin=f"http://{host}").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7", "", "[::1", "a@localhost@b"],
)
def test_other_names_are_not(client, host):
    assert told(ask(client, Host=host), 421).startswith(f"the Host is {host!r}; expected 127.0.0.1, ::1, localhost.")
    assert told(client.get("/", headers={"Host": host}), 421)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999", "file://", ""])
def test_pages_of_other_sites_may_not_ask(client, origin):
    message = told(ask(client, Host="localhost:8000", Origin=origin), 403)
    assert message == f"the request is of a page of {origin!r}; expected one of 'localhost:8000', or none."


def test_which_hosts_a_server_answers_to():
    loopback = {"127.0.0.1", "localhost", "::1"}
    assert hosts("127.0.0.1", []) == (loopback, False)
    assert hosts("localhost", ["Proxy.Example"]) == (loopback | {"proxy.example"}, False)
    # An address can't be another's by a name that its owner points here; a name can.
    assert hosts("0.0.0.0", ["box"]) == ({"0.0.0.0", "localhost", "box"}, True)
    assert hosts("box.local", []) == ({"box.local", "localhost"}, True)


@pytest.mark.parametrize(
    ("host", "alone"), [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback(host, alone):
    assert is_loopback(host) == alone


@pytest.mark.parametrize("path", ["/", "/model", "/docs", "/static/page.js", "/nothing"])
def test_browsers_are_told_what_a_page_may_do(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert ("'unsafe-inline'" in policy["script-src"]) == (path == "/docs")
    assert "access-control-allow-origin" not in headers
